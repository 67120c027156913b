"""The part of the Control service that hands out what is stored: jobs as submitted, tasks, baselines."""

import time
from functools import partial

import grpc

from controller.model.audit import Deed
from controller.model.baseline import Baseline
from controller.service.audit import audited
from controller.service.context import ServiceContext
from controller.service.identity import current_caller
from controller.store.commands.baselines import set_baseline
from controller.store.queries import baselines, job_specs, task_specs
from controller.wire.baseline import BASELINE
from controller.wire.job import JOB_SPEC
from controller.wire.lease import TASK
from jetfleet.v1 import control_pb2, control_pb2_grpc, task_pb2

Context = grpc.aio.ServicerContext[object, object]


class StoredCalls(control_pb2_grpc.ControlServicer):
    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self.last_call = time.monotonic()

    async def GetTask(self, request: control_pb2.GetTaskRequest, context: Context) -> task_pb2.TaskSpec:
        self.last_call = time.monotonic()
        look = partial(task_specs.task_spec, task_id=request.task_id, engine_key=request.engine_key)
        return TASK.encode(await self._service.read(look))

    async def GetJobSpec(self, request: control_pb2.GetJobRequest, context: Context) -> control_pb2.JobSpec:
        self.last_call = time.monotonic()
        return JOB_SPEC.encode(await self._service.read(partial(job_specs.job_spec, job_id=request.job_id)))

    async def SetBaseline(self, request: control_pb2.Baseline, context: Context) -> control_pb2.Baseline:
        self.last_call = time.monotonic()
        asked = BASELINE.decode(request)
        change = partial(set_baseline, asked=asked, by=current_caller().user)
        return BASELINE.encode(await self._service.write(audited(change, _deed)))

    async def ListBaselines(
        self, request: control_pb2.ListBaselinesRequest, context: Context
    ) -> control_pb2.ListBaselinesResponse:
        self.last_call = time.monotonic()
        found = await self._service.read(partial(baselines.baselines, name=request.name))
        return control_pb2.ListBaselinesResponse(baselines=[BASELINE.encode(item) for item in found])


def _deed(made: Baseline) -> Deed:
    detail = {"job": str(made.job_id), "device_class": made.device_class or "every class"}
    return Deed("baseline.set", f"baseline {made.name}", detail)
