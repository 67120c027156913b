"""A submitted job as an object: every method is a call of the client that submitted it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.api.control_client import ControlClient
from controller.api.results import Results
from controller.model.view import JobView, ResultQuery, Submitted
from jetfleet.errors import BadInput

if TYPE_CHECKING:
    from controller.model.comparison import Axis, ComparisonReport
    from controller.model.divergence import Bisection
    from controller.model.slow import Explained


@dataclass(frozen=True, repr=False)
class Job(Submitted):
    """What a submit returns: the answer, and the way to follow it. `id` is 0 after a dry run."""

    client: ControlClient = field(compare=False)

    def __repr__(self) -> str:
        """As a notebook shows it: what was planned, and the notes. Asks nobody."""
        kinds = Counter(task.kind.value for task in self.tasks)
        planned = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no tasks"
        first = f"Job {self.job_id}: {planned}" if self.job_id else f"Dry run: {planned}"
        return "\n".join([first, *(f"  note: {note}" for note in self.notes)])

    @property
    def id(self) -> int:
        return self.job_id

    def view(self) -> JobView:
        """The job and its tasks as they are now."""
        return self.client.job(self._stored_id())

    def wait(self) -> JobView:
        """The job when it has ended, however it ended: see `state`, and `failure` of its tasks."""
        return self.client.wait(self._stored_id())

    def results(self) -> Results:
        """What has been measured so far."""
        return self.client.results(ResultQuery(job_ids=(self._stored_id(),)))

    def compare(
        self, *others: "int | Job", by: "Axis | str | None" = None, baseline: str = "", across: Sequence[str] = ()
    ) -> "ComparisonReport":
        """This job, with others if given: see Client.compare."""
        return self.client.compare([self, *others], by=by, baseline=baseline, across=across)

    def slow(self, variant: str = "") -> "list[Explained]":
        """Why its results take their time: see Client.slow."""
        from controller.api.slowness import explain_job

        return explain_job(self.client, self._stored_id(), variant)

    def bisect(self, variant: str = "", *, on: str = "") -> "list[Bisection]":
        """Where its lowered variants leave FP32: see Client.bisect."""
        from controller.api.bisection import bisect_job
        from controller.api.device_bisection import bisect_on_device

        if on:
            return bisect_on_device(self.client, self._stored_id(), on, variant, progress=lambda _: None)
        return bisect_job(self.client, self._stored_id(), variant, progress=lambda _: None)

    def cancel(self) -> JobView:
        return self.client.cancel(self._stored_id())

    def _stored_id(self) -> int:
        if not self.job_id:
            raise BadInput("a dry run makes no job", hint="submit it without validate_only")
        return self.job_id
