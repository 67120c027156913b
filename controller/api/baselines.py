"""Of which device class a baseline is: one that its job was measured on, or is still to be."""

from collections.abc import Sequence
from difflib import get_close_matches

from controller.analysis.recommendation.classes import class_label, class_of
from controller.model.result import Row
from controller.model.view import DeviceView, JobView
from jetfleet.errors import BadInput


def baseline_class(asked: str, job: JobView, rows: Sequence[Row], devices: Sequence[DeviceView]) -> str:
    """The class's own label, of which a board's name or SKU is as good. Raises BadInput for one that the job has no
    result of; while the job is not over, any board that is known may still give it one.
    """
    known = [(class_of(row).label, row.device, row.facts.get("sku")) for row in rows]
    if job.done < job.total:
        known += [(class_label(item.facts), item.name, item.facts.get("sku")) for item in devices]
    labels = list(dict.fromkeys(label for label, *_ in known))
    if asked in labels:
        return asked
    meant = list(dict.fromkeys(label for label, *names in known if asked in names))
    if len(meant) == 1:
        return meant[0]
    near = get_close_matches(asked, labels, n=1)
    raise BadInput(
        f"job {job.id} has no result of device class {asked!r}" if not meant else f"{asked} is of several classes",
        where="--for",
        expected=", ".join(meant or labels) or "a job with results",
        hint=f"did you mean {near[0]!r}?" if near else "",
    )
