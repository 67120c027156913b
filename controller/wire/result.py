"""Outcomes and measurements, proto <-> model."""

from controller.model.interleaved import Interleaved, PairedRun
from controller.model.result import (
    Estimate,
    Flag,
    Measurement,
    Round,
    Row,
    Run,
    TensorCheck,
)
from controller.model.task import Failure
from controller.wire.codec import ByHand, message_codec
from controller.wire.facts import FACTS
from controller.wire.job import ARTIFACT
from jetfleet.v1 import control_pb2, task_pb2

FAILURE = message_codec(Failure, task_pb2.Failure)
ESTIMATE = message_codec(Estimate, task_pb2.Estimate)
FLAG = message_codec(Flag, task_pb2.Flag)
ROUND = message_codec(Round, task_pb2.Round)
TENSOR_CHECK = message_codec(TensorCheck, task_pb2.TensorCheck)
RUN = message_codec(Run, task_pb2.Run, nested=(FLAG, ARTIFACT))
MEASUREMENT = message_codec(
    Measurement, task_pb2.Measurement, nested=(ESTIMATE, ROUND, TENSOR_CHECK, FLAG, ARTIFACT, RUN)
)
PAIRED_RUN = message_codec(PairedRun, task_pb2.PairedRun)
INTERLEAVED = message_codec(Interleaved, task_pb2.Interleaved, nested=(PAIRED_RUN,))
ROW = message_codec(
    Row,
    control_pb2.Row,
    nested=(FACTS, MEASUREMENT, INTERLEAVED),
    by_hand=(
        ByHand(
            "derived from the flags, for readers that are not ours",
            model=(),
            message=("verdict",),
            put=lambda row: {"verdict": row.measurement.verdict},
            get=lambda message: {},
        ),
    ),
)
