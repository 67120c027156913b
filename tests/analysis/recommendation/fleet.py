"""Rows of a made-up sweep: one configuration per call, with intervals as wide as asked."""

from dataclasses import replace
from typing import Any

from controller.model.result import Estimate, Flag, FlagKind, Row, Schedule
from testing import measurements

ORIN_NANO = {"arch": "aarch64", "sku": "orin-nano-8gb", "l4t": "36.4", "jetpack": "6.2", "power_mode": "15W"}


def around(value: float, share: float = 0.01) -> Estimate:
    return Estimate(value, value * (1 - share), value * (1 + share))


def measured(
    number: int,
    variant: str,
    p50_ms: Estimate | float | None,
    *flags: FlagKind,
    facts: dict[str, Any] | None = None,
    device: str = "nano-1",
    engine_key: str = "",
    schedule: Schedule = Schedule.ALONE,
    subject_index: int | None = 0,
    **metrics: Estimate | float,
) -> Row:
    """Measurement `number`; a float stands for an estimate of 1 % around it, None for an unknown one."""
    given = {"p50_ms": p50_ms, **metrics}
    estimates = {
        name: around(value) if isinstance(value, float) else value for name, value in given.items() if value is not None
    }
    made = measurements.row(facts=ORIN_NANO if facts is None else facts, variant=variant)
    measurement = replace(
        made.measurement,
        metrics=estimates,
        flags=tuple(Flag(kind, "seen") for kind in flags),
        subject_index=subject_index,
    )
    return replace(
        made,
        measurement_id=number,
        task_id=number,
        device=device,
        engine_key=engine_key or f"{number:064x}",
        placement=variant.rsplit("-", 1)[-1],
        schedule=schedule,
        measurement=measurement,
    )
