"""What a BENCH is told of a variant."""

from controller.core.subject import subject_of
from controller.model.job import Artifact, Precision, Role
from controller.model.result import Flag, FlagKind
from testing.specs import variant


def artifact(role: Role) -> Artifact:
    return Artifact(role, role.value, "a" * 64, 1)


def test_a_subject_is_the_variant_without_what_built_its_engine():
    given = variant(
        artifacts=(artifact(Role.MODEL_FP32), artifact(Role.CALIBRATION), artifact(Role.REFERENCE_OUTPUT)),
        options={"lowering": "flags", "wait": "spin", "workspace_mib": "256"},
        runtime="tensorrt",
        placement="gpu+dla0",
    )
    flags = (Flag(FlagKind.TACTICS_SKIPPED, "one was skipped"),)
    engine = artifact(Role.ENGINE)
    made = subject_of(
        given, engine_key="k", engine=engine, runtime_version="10.3", placement="dla0", streams=2, batch=4, flags=flags
    )
    assert made.artifacts == (artifact(Role.REFERENCE_OUTPUT),)
    assert made.options == {"wait": "spin", "workspace_mib": "256"}
    assert (made.variant_key, made.runtime, made.precision) == (given.key, "tensorrt", Precision.FP32)
    assert (made.engine_key, made.engine, made.placement, made.streams, made.batch) == ("k", engine, "dla0", 2, 4)
    assert made.accuracy_output == ""
    assert (made.inputs, made.check, made.flags, made.runtime_version) == (given.inputs, given.check, flags, "10.3")


def test_a_subject_knows_its_calibration_and_its_scores():
    made = subject_of(
        variant(accuracy_output="logits", weak_calibration="one row"),
        engine_key="k",
        engine=artifact(Role.ENGINE),
        runtime_version="10.3",
        placement="gpu",
        streams=1,
        batch=1,
        flags=(Flag(FlagKind.TACTICS_SKIPPED, "one was skipped"),),
    )
    assert made.accuracy_output == "logits"
    assert [(flag.kind, flag.evidence) for flag in made.flags] == [
        (FlagKind.TACTICS_SKIPPED, "one was skipped"),
        (FlagKind.WEAK_CALIBRATION, "one row"),
    ]
