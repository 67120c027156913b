"""Options that no variant of the job would read: refused, never ignored. Pure."""

from collections.abc import Collection, Sequence

from controller.intake.jobfile.matrix import VariantPoint
from controller.intake.jobfile.options import Options
from controller.intake.jobfile.yaml import Document
from jetfleet.option_kinds import Audience
from jetfleet.options import names_read_by
from jetfleet.placement import CPU, DLA, Placement


def refuse_unused(options: Options, points: Sequence[VariantPoint], document: Document) -> None:
    """Raises BadInput for a GPU's or a DLA's option of a runtime that is placed on none of them."""
    for runtime in dict.fromkeys(point.runtime for point in points):
        asked = getattr(options, runtime)
        if isinstance(asked, dict):
            continue
        placements = [Placement(point.placement) for point in points if point.runtime == runtime]
        kinds = frozenset[str]().union(*(placement.kinds for placement in placements))
        for name in sorted(asked.model_fields_set):
            if place := _missing_place(name, kinds):
                message = f"{name} is for {place[0]}, and no variant of {runtime} is placed on one"
                expected = f"placement: [{place[1]}], or no {name}"
                raise document.error(("options", runtime, name), message, expected=expected, key=True)


def _missing_place(name: str, kinds: Collection[str]) -> tuple[str, str] | None:
    """What an option is for, in words and as a placement, where no variant is there."""
    if name in names_read_by(Audience.DLA_BUILDER) and DLA not in kinds:
        return "a DLA", "dla0"
    if name in names_read_by(Audience.GPU_RUN) and kinds == {CPU}:
        return "a GPU", "gpu"
    return None
