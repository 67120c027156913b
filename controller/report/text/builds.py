"""How far several builds of one engine differ, in a line below the results."""

import re
from collections.abc import Iterator, Sequence

from controller.model.result import Row
from controller.report.text.words import number, one_line

_REPEATED = re.compile(r"-build_\d+(?=-|$)")


def build_lines(rows: Sequence[Row]) -> Iterator[str]:
    """`job 3, tensorrt-fp16-b1-gpu on nano: 3 builds, p50 4.9 to 5.2 ms, 5.9 % apart`."""
    builds: dict[tuple[int, str, str, str], dict[str, float]] = {}
    for row in sorted(rows, key=lambda row: row.measurement_id):
        p50_ms = row.measurement.p50_ms.value
        if p50_ms:
            base = _REPEATED.sub("", row.variant_key)
            builds.setdefault((row.job_id, base, row.part, row.device), {})[row.engine_key] = p50_ms
    for (job_id, variant, part, device), found in builds.items():
        if len(found) > 1:
            low, high = min(found.values()), max(found.values())
            apart = 100 * (high - low) / (sum(found.values()) / len(found))
            where = one_line(f"job {job_id}, {variant}{f' ({part})' if part else ''} on {device}")
            yield f"{where}: {len(found)} builds, p50 {number(low)} to {number(high)} ms, {apart:.1f} % apart"
