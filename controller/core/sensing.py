"""What a way to measure asks of a device's sensors, and whether a device is known to lack it. Pure.

What an agent does not tell is unknown, and refuses nothing: it is looked for on the device.
"""

from controller.model.facts import Facts
from controller.model.job import Condition, Measure, Op, Variant
from jetfleet.options import SIMULATED_RUNTIME

THERMAL = "thermal_readable"


def lacking(measure: Measure, variant: Variant, facts: Facts) -> str:
    """Why a device with these facts cannot measure so; empty if nothing speaks against it."""
    if _needs_temperature(measure, variant) and facts.get(THERMAL) is False:
        return "measure.soak works until the temperature is steady, and no thermal zone can be read there"
    return ""


def sensed_by(measure: Measure, variant: Variant) -> tuple[Condition, ...]:
    """What whoever takes the task must have, where some are known to lack it."""
    return (Condition(THERMAL, Op.EQUALS, ("true",)),) if _needs_temperature(measure, variant) else ()


def _needs_temperature(measure: Measure, variant: Variant) -> bool:
    """What never runs warms nothing up."""
    return measure.soak is not None and variant.runtime != SIMULATED_RUNTIME
