"""Every enum, proto <-> model, in one place: a member that one side lacks fails at import, not in the field."""

from controller.model.job import CheckRule, Lowering, Mode, Op, Precision, Quantifier, Role
from controller.model.result import FlagKind, Provenance, Schedule
from controller.model.task import FailureKind
from jetfleet.v1 import control_pb2, task_pb2

PRECISION = {item: task_pb2.Precision.Value(f"PRECISION_{item.name}") for item in Precision}
LOWERING = {item: task_pb2.Lowering.Value(f"LOWERING_{item.name}") for item in Lowering}
ROLE = {item: task_pb2.ArtifactRole.Value(f"ARTIFACT_ROLE_{item.name}") for item in Role}
FAILURE = {item: task_pb2.FailureKind.Value(f"FAILURE_KIND_{item.name}") for item in FailureKind}
FLAG = {item: task_pb2.FlagKind.Value(f"FLAG_KIND_{item.name}") for item in FlagKind}
PROVENANCE = {item: task_pb2.Provenance.Value(f"PROVENANCE_{item.name}") for item in Provenance}
SCHEDULE = {item: task_pb2.BenchTask.Schedule.Value(f"SCHEDULE_{item.name}") for item in Schedule}
MODE = {item: task_pb2.MeasureOptions.Mode.Value(f"MODE_{item.name}") for item in Mode}
CHECK_RULE = {item: task_pb2.OutputCheck.Rule.Value(f"RULE_{item.name}") for item in CheckRule}
OP = {item: control_pb2.Condition.Op.Value(f"OP_{item.name}") for item in Op}
QUANTIFIER = {item: control_pb2.Target.Quantifier.Value(f"QUANTIFIER_{item.name}") for item in Quantifier}

PRECISION_FROM = {number: item for item, number in PRECISION.items()}
LOWERING_FROM = {number: item for item, number in LOWERING.items()}
ROLE_FROM = {number: item for item, number in ROLE.items()}
FAILURE_FROM = {number: item for item, number in FAILURE.items()}
FLAG_FROM = {number: item for item, number in FLAG.items()}
PROVENANCE_FROM = {number: item for item, number in PROVENANCE.items()}
SCHEDULE_FROM = {number: item for item, number in SCHEDULE.items()}
MODE_FROM = {number: item for item, number in MODE.items()}
CHECK_RULE_FROM = {number: item for item, number in CHECK_RULE.items()}
OP_FROM = {number: item for item, number in OP.items()}
QUANTIFIER_FROM = {number: item for item, number in QUANTIFIER.items()}
