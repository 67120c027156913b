"""Jobs for the simulated runtime: real plans and leases, next to no work in them."""

from collections.abc import Mapping

from controller.model.job import JobSpec, Limits, Measure, Target
from testing.jobs import simulated_variant
from testing.specs import EVERY

# Long on the simulated clock, so that the loop takes no more than the fewest samples: on the wall it is a moment.
EMPTY_WORK = {"latency_ms": "100", "jitter": "0"}


def simulated_spec(
    name: str,
    *,
    variants: int = 1,
    targets: tuple[Target, ...] = (EVERY,),
    options: Mapping[str, str] | None = None,
) -> JobSpec:
    """One BUILD and one BENCH per device for each variant; no files at all."""
    return JobSpec(
        name=name,
        model_name="nothing",
        variants=tuple(simulated_variant(batch, options=options) for batch in range(1, variants + 1)),
        targets=targets,
        measure=Measure(warmup_s=0.0, min_s=0.0001, max_s=0.001),
        limits=Limits(build_s=60, bench_s=60),
        source=f"name: {name}\n",
    )
