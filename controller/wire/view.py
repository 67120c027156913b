"""What people see, proto <-> model."""

from controller.model.task import Progress
from controller.model.view import (
    ControllerInfo,
    DeadLetter,
    DeviceView,
    JobView,
    PlannedTask,
    Reason,
    ResultQuery,
    Submitted,
    TaskView,
)
from controller.wire.codec import ByHand, message_codec
from controller.wire.facts import FACTS
from controller.wire.job import ARTIFACT, CONDITION
from controller.wire.result import FAILURE
from jetfleet.v1 import control_pb2, task_pb2

PROGRESS = message_codec(Progress, task_pb2.Progress)
TASK_VIEW = message_codec(
    TaskView, control_pb2.Task, nested=(PROGRESS, FAILURE, ARTIFACT), zero_is_none=("because_of_task",)
)
JOB_VIEW = message_codec(JobView, control_pb2.Job, nested=(TASK_VIEW,))
PLANNED_TASK = message_codec(PlannedTask, control_pb2.PlannedTask)
SUBMITTED = message_codec(Submitted, control_pb2.SubmitJobResponse, nested=(PLANNED_TASK,))
DEAD_LETTER = message_codec(DeadLetter, control_pb2.DeadLetter)
DEVICE_VIEW = message_codec(DeviceView, control_pb2.Device, nested=(FACTS, DEAD_LETTER))
REASON = message_codec(Reason, control_pb2.ExplainJobResponse.Reason)
RESULT_QUERY = message_codec(
    ResultQuery,
    control_pb2.ResultsRequest,
    nested=(CONDITION,),
    zero_is_none=("before_id",),
    by_hand=(
        ByHand(
            "0 is what a caller leaves who wants the usual limit",
            model=("limit",),
            message=("limit",),
            put=lambda query: {"limit": query.limit},
            get=lambda message: {"limit": message.limit or ResultQuery.limit},
        ),
    ),
)
CONTROLLER_INFO = message_codec(
    ControllerInfo, control_pb2.HelloResponse, message_only={"now": "told by the service, read by agents"}
)
