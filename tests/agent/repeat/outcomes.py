"""Outcomes of single runs, as children write them."""

from collections.abc import Mapping, Sequence

from agent.work.one_run import add_run
from jetfleet.v1.task_pb2 import FLAG_KIND_WRONG_OUTPUT, Flag, FlagKind, Measured, Measurement, Outcome, Round


def outcome(
    *kinds: "FlagKind.ValueType",
    p50_ms: float = 10.0,
    rounds: Sequence[float] = (),
    load_s: float = 0.5,
    index: int = 0,
    metrics: Mapping[str, float] | None = None,
    circumstances: Mapping[str, str] | None = None,
) -> Outcome:
    """Without `rounds` ten of the same p50. A window of 1 s, and no warm-up."""
    medians = rounds or [p50_ms] * 10
    found = Measurement(
        subject_index=0,
        n=10 * len(medians),
        rounds=[Round(n=10, p50_ms=median, mean_ms=median) for median in medians],
        flags=[Flag(kind=kind, evidence="seen") for kind in kinds],
        circumstances=circumstances or {},
    )
    found.window.FromSeconds(1)
    for name, value in {"p50_ms": p50_ms, **(metrics or {})}.items():
        found.metrics[name].value = value
    add_run(found, index, load_s)
    return Outcome(measured=Measured(measurements=[found]))


def wrong() -> Outcome:
    flag = Flag(kind=FLAG_KIND_WRONG_OUTPUT, evidence="y: got 2, want 1")
    return Outcome(measured=Measured(measurements=[Measurement(subject_index=0, flags=[flag])]))
