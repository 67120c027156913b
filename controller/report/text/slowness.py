"""Why results take their time, for people: the causes in the order in which they are worth a look."""

from collections.abc import Iterator, Sequence

from controller.model.slow import Explained
from controller.report.text.words import UNKNOWN, number, one_line


def slowness_lines(found: Sequence[Explained]) -> Iterator[str]:
    for item in found:
        p50 = item.row.measurement.p50_ms.value
        yield one_line(f"{item.row.label} on {item.row.device}: {UNKNOWN if p50 is None else number(p50)} ms")
        if not item.causes:
            yield "  nothing stands out in what is known"
        for cause in item.causes:
            yield f"  {cause.kind.value}: {one_line(cause.evidence)}"
            yield f"    try: {one_line(cause.step)}"
        for what in item.unknown:
            yield f"  not known: {one_line(what)}"
