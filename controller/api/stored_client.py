"""The part of the client that asks for what is stored: jobs as submitted, tasks as files, baselines."""

from collections.abc import Callable
from typing import Any

from controller.model.baseline import Baseline
from controller.model.job import JobSpec
from controller.model.view import TaskFile
from controller.wire.baseline import BASELINE
from controller.wire.job import JOB_SPEC
from controller.wire.task import files_of, task_text
from jetfleet.v1 import control_pb2, control_pb2_grpc


class StoredClient:
    """Of ControlClient, which has the connection."""

    _stub: control_pb2_grpc.ControlStub
    _call: Callable[[Callable[..., Any], Any], Any]

    def task_file(self, *, task_id: int = 0, engine_key: str = "") -> TaskFile:
        """What an agent is handed for the task of a measurement, or for building an engine; as `agent once` takes it.

        Raises NotFound.
        """
        request = control_pb2.GetTaskRequest(task_id=task_id, engine_key=engine_key)
        spec = self._call(self._stub.GetTask, request)
        return TaskFile(task_text(spec), tuple(files_of(spec)))

    def job_spec(self, job_id: int) -> JobSpec:
        """A job as it was submitted, without targets and pairs. Raises NotFound."""
        found: JobSpec = JOB_SPEC.decode(self._call(self._stub.GetJobSpec, control_pb2.GetJobRequest(job_id=job_id)))
        return found

    def set_baseline(self, name: str, job_id: int, *, device_class: str = "") -> Baseline:
        """From now on the job is what others are held against under that name. Raises BadInput, NotFound."""
        asked = BASELINE.encode(Baseline(name, device_class, job_id))
        found: Baseline = BASELINE.decode(self._call(self._stub.SetBaseline, asked))
        return found

    def baselines(self, name: str = "") -> list[Baseline]:
        """Newest first, earlier ones too."""
        reply = self._call(self._stub.ListBaselines, control_pb2.ListBaselinesRequest(name=name))
        return [BASELINE.decode(item) for item in reply.baselines]
