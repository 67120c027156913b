"""The noise of a device for people: a line for each level, and what a comparison makes of it."""

from collections.abc import Iterator

from controller.model.noise import DeviceNoise
from controller.report.text.table import Table
from controller.report.text.words import one_line
from jetfleet.plural import are, counted


def noise_table(noise: DeviceNoise) -> Table:
    return Table(
        columns=("level", "values", "deviation", "1 % differ by more than", "what differs"),
        rows=[
            (
                level.name,
                str(level.values) if level.values else "none",
                _percent(level.deviation),
                _percent(level.limit),
                level.meaning,
            )
            for level in noise.levels
        ],
        right=frozenset({"values", "deviation", "1 % differ by more than"}),
        folding=frozenset({"what differs"}),
    )


def noise_notes(noise: DeviceNoise) -> Iterator[str]:
    yield f"{noise.metric} on {one_line(noise.device)}, {noise.provenance.value}; of repeats of the same thing"
    yield f"compare reckons with a noise floor of {one_line(noise.floor.source)}"
    if noise.flagged:
        flagged = f"{counted(noise.flagged, 'row')} {are(noise.flagged)} not VALID, for noise"
        yield f"{flagged}: the floor is learnt from VALID ones alone"
    if noise.left_out:
        yield f"left out: {counted(noise.left_out, 'row')} with something else against them"


def _percent(share: float | None) -> str:
    if share is None:
        return "unknown"
    return f"{share * 100:.2g} %" if share < 1 else "more than 100 %"
