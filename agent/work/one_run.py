"""What a process puts down of itself: the run that its measurements are of.

Its rounds say how well it knows its own p50. That is no interval of what the next process would find, so it stands in
the run, and the measurement has none until several runs are merged.
"""

from jetfleet.v1.task_pb2 import Measurement, Run


def add_run(measurement: Measurement, index: int, load_s: float) -> None:
    """Moves what is of this run alone from the measurement to the run that is added to it."""
    run = Run(index=index, n=measurement.n, warmup_n=measurement.warmup_n, flags=measurement.flags)
    run.window.CopyFrom(measurement.window)
    run.warmup.CopyFrom(measurement.warmup)
    run.load.FromNanoseconds(round(load_s * 1e9))
    for name, estimate in measurement.metrics.items():
        if estimate.HasField("value"):
            run.metrics[name] = estimate.value
        if estimate.HasField("low"):
            if name == "p50_ms":
                run.within_low_ms, run.within_high_ms = estimate.low, estimate.high
            estimate.reason = f"one run: {estimate.low:.4g} to {estimate.high:.4g} within it, unknown for the next"
            estimate.ClearField("low")
            estimate.ClearField("high")
    if measurement.HasField("samples"):
        run.samples.CopyFrom(measurement.samples)
        measurement.ClearField("samples")
    for each in measurement.rounds:
        each.run = index
    measurement.runs.append(run)
