"""The Python API's client: the Control service, and the ways to submit. The CLI is its first user.

from controller import connect

with connect() as client:                        # finds the controller, or starts one
    job = client.submit_file("job.yaml")         # exports, uploads what is missing, plans, queues
    job.wait()
    print(job.results())                         # typed rows, newest first
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from controller.api.baselines import baseline_class
from controller.api.control_client import ControlClient
from controller.api.job import Job
from controller.api.submission import SubmitOptions, prepare_files, prepare_model, prepare_pair, submit_prepared
from controller.client.transfer import OnProgress
from controller.model.baseline import Baseline
from controller.model.job import JobSpec, Precision
from controller.model.view import ResultQuery, Submitted
from jetfleet.address import default_state_dir
from jetfleet.transport import Credentials

if TYPE_CHECKING:
    from controller.model.divergence import Bisection
    from controller.model.recommendation import RecommendationReport
    from controller.model.slow import Explained

T = TypeVar("T")
OneOrMore: TypeAlias = T | Sequence[T]


class Client(ControlClient):
    """A controller at a gRPC address (`unix:PATH`, `HOST:50051`). Use as a context manager.

    `credentials` are those of a controller elsewhere; left out, what `controller login` or the environment says.
    `state_dir` keeps exports and local agents; `on_message` hears of each step of a submit: `print`, for example.
    `timeout_s` bounds one try of a call, `patience_s` all its tries while nobody answers, and `reconnect_s` the
    silence that `watch` puts up with, long enough for the controller's machine to restart.
    """

    def __init__(
        self,
        address: str,
        *,
        state_dir: Path | None = None,
        credentials: Credentials | None = None,
        on_message: Callable[[str], None] = lambda _: None,
        timeout_s: float = 30.0,
        patience_s: float = 10.0,
        reconnect_s: float = 120.0,
    ) -> None:
        super().__init__(
            address, credentials=credentials, timeout_s=timeout_s, patience_s=patience_s, reconnect_s=reconnect_s
        )
        self.state_dir = state_dir or default_state_dir()
        self.on_message = on_message

    def submit(
        self,
        model: object,
        *,
        inputs: Mapping[str, Any] | None = None,
        precision: OneOrMore[Precision | str] | None = None,
        batch: OneOrMore[int] | None = None,
        placement: OneOrMore[str] | None = None,
        runtime: OneOrMore[str] | None = None,
        targets: OneOrMore[Mapping[str, Any]] | None = None,
        data: Mapping[str, Any] | None = None,
        measure: Mapping[str, Any] | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str = "",
        local: int | None = None,
        validate_only: bool = False,
        on_progress: OnProgress | None = None,
        **sections: Any,
    ) -> Job:
        """A job from arguments: they say what job.yaml says, in the same words, and are checked in the same way.

        `model` is an nn.Module, a path to an ONNX file, or MODULE:CALLABLE. In `inputs`, a list is a shape:
        `{"x": ["batch", 3, 224, 224]}`. `labels` are for finding its results again: a commit, a branch.
        `sections` are the rest of job.yaml: `check`, `limits`, `options`, `export`, `priority`, `args` of a callable,
        `exclude` and `include` of the matrix. Raises BadInput, with the argument.
        """
        arguments = {
            "name": name,
            "inputs": inputs,
            "precision": precision,
            "batch": batch,
            "placement": placement,
            "runtime": runtime,
            "targets": targets,
            "data": data,
            "measure": measure,
            **sections,
        }
        options = SubmitOptions(
            state_dir=self.state_dir,
            local=local,
            labels=labels or {},
            idempotency_key=idempotency_key,
            validate_only=validate_only,
            on_message=self.on_message,
            on_progress=on_progress,
        )
        prepared = prepare_model(model, arguments, state_dir=self.state_dir, on_message=self.on_message)
        return self._job(submit_prepared(self, [prepared], options)[0])

    def submit_file(
        self,
        path: Path | str,
        *,
        local: int | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str = "",
        validate_only: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Job:
        """A job.yaml, prepared on this machine (its model exported, its references computed) and submitted.

        What `controller submit` does. `local` has that many agents of this machine take part; None starts one where
        an embedded controller would have nobody. Raises BadInput for what is wrong with the file or its model.
        """
        return self.submit_files(
            [path],
            local=local,
            labels=labels,
            idempotency_key=idempotency_key,
            validate_only=validate_only,
            on_progress=on_progress,
        )[0]

    def submit_files(
        self,
        paths: Sequence[Path | str],
        *,
        local: int | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str = "",
        validate_only: bool = False,
        on_progress: OnProgress | None = None,
    ) -> list[Job]:
        """Several job files: all are submitted, or none if one is wrong. Raises JobsRefused with every error."""
        options = SubmitOptions(
            state_dir=self.state_dir,
            local=local,
            labels=labels or {},
            idempotency_key=idempotency_key,
            validate_only=validate_only,
            on_message=self.on_message,
            on_progress=on_progress,
        )
        prepared = prepare_files([Path(path) for path in paths], state_dir=self.state_dir, on_message=self.on_message)
        return [self._job(item) for item in submit_prepared(self, prepared, options)]

    def submit_ab(
        self,
        base: Path | str,
        candidate: Path | str,
        *,
        of: Path | str | None = None,
        local: int | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str = "",
        validate_only: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Job:
        """Two job files or, with the job file `of`, two of its variants, timed in turns in the same processes.

        What `controller submit --ab` does: `compare()` of the job then answers from ratios inside processes. Variants
        are named by their keys, or by patterns of them: `onnxruntime-fp32-*`. Raises BadInput.
        """
        options = SubmitOptions(
            state_dir=self.state_dir,
            local=local,
            labels=labels or {},
            idempotency_key=idempotency_key,
            validate_only=validate_only,
            on_message=self.on_message,
            on_progress=on_progress,
        )
        prepared = prepare_pair(
            str(base),
            str(candidate),
            of=None if of is None else Path(of),
            state_dir=self.state_dir,
            on_message=self.on_message,
        )
        return self._job(submit_prepared(self, [prepared], options)[0])

    def submit_spec(
        self,
        spec: JobSpec,
        files: Mapping[str, Path],
        *,
        idempotency_key: str = "",
        validate_only: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Job:
        """A spec that is complete, with its files by digest; see ControlClient.submit_spec."""
        submitted = super().submit_spec(
            spec, files, idempotency_key=idempotency_key, validate_only=validate_only, on_progress=on_progress
        )
        return self._job(submitted)

    def retry(self, job_id: int, *, idempotency_key: str = "") -> Job:
        """A new job of what did not succeed in one that is over; see ControlClient.retry."""
        return self._job(super().retry(job_id, idempotency_key=idempotency_key))

    def set_baseline(self, name: str, job_id: int, *, device_class: str = "") -> Baseline:
        """From now on the job is what others are held against under that name; of one device class, by its label, or by
        the name or SKU of a board. Raises BadInput for a class that the job was not measured on, NotFound.
        """
        if device_class:
            rows = self.results(ResultQuery((job_id,)))
            device_class = baseline_class(device_class, self.job(job_id), rows, self.devices())
        return super().set_baseline(name, job_id, device_class=device_class)

    def recommend(
        self,
        jobs: Sequence[int | Submitted],
        *,
        objective: str = "",
        constraints: Mapping[str, float] | None = None,
    ) -> "RecommendationReport":
        """What to ship, per device class: the best by `objective` of what keeps every constraint.

        Both are by names of metrics, or `latency`, `throughput`, `energy`, `power`; a limit is the most where less is
        better, and the least where more is: `{"p99_ms": 33, "accuracy_drop": 0.01}`. Left out, they are as the job
        files say; `{}` is no constraint. Raises NotFound, BadInput.
        """
        from controller.api.recommend import recommend_jobs

        job_ids = [job if isinstance(job, int) else job.job_id for job in jobs]
        return recommend_jobs(
            self.results,
            self.engine,
            self.job,
            self.job_spec,
            job_ids,
            objective=objective,
            constraints=constraints,
        )

    def slow(self, job: int | Submitted, variant: str = "") -> "list[Explained]":
        """Why each result of a job, or of one of its variants, takes its time: causes with their evidence and a next
        step each, and what is not known of it. What `controller job slow` tells. Raises NotFound.
        """
        from controller.api.slowness import explain_job

        return explain_job(self, job if isinstance(job, int) else job.job_id, variant)

    def bisect(self, job: int | Submitted, variant: str = "", *, on: str = "") -> "list[Bisection]":
        """The first layer whose output leaves FP32's, of each fp16 and int8 variant or of the named one.

        The graphs run on this machine; `on` a device its own engines are built and run, each with one more output, as
        jobs. What `controller job bisect` does. Raises NotFound, BadInput.
        """
        job_id = job if isinstance(job, int) else job.job_id
        if on:
            from controller.api.device_bisection import bisect_on_device

            return bisect_on_device(self, job_id, on, variant, progress=self.on_message)
        from controller.api.bisection import bisect_job

        return bisect_job(self, job_id, variant, progress=self.on_message)

    def _job(self, submitted: Submitted) -> Job:
        if isinstance(submitted, Job):
            return submitted
        return Job(**vars(submitted), client=self)
