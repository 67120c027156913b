"""How far several builds of one engine differ, in a line below the results."""

from collections.abc import Iterator, Sequence

from controller.analysis.noise_levels import builds
from controller.model.result import Row
from controller.report.text.words import number, one_line
from jetfleet.plural import counted


def build_lines(rows: Sequence[Row]) -> Iterator[str]:
    """`job 3, tensorrt-fp16-b1-gpu on nano: 3 builds, p50 4.9 to 5.2 ms, 5.9 % apart`."""
    for (job_id, variant, part, device), found in builds(rows, "p50_ms").items():
        low, high = min(found.values()), max(found.values())
        apart = 100 * (high - low) / (sum(found.values()) / len(found))
        where = one_line(f"job {job_id}, {variant}{f' ({part})' if part else ''} on {device}")
        yield f"{where}: {counted(len(found), 'build')}, p50 {number(low)} to {number(high)} ms, {apart:.1f} % apart"
