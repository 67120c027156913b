"""Means of stages, over several runs, still add up to the mean of the whole."""

import pytest

from agent.repeat.numbers import estimate_of


def test_the_stages_of_several_runs_add_up() -> None:
    """Each run's stages do; of medians over the runs they would not."""
    pre, latency, post = [1.0, 5.0, 2.0], [4.0, 1.0, 1.5], [0.5, 0.5, 3.0]
    whole = [sum(parts) for parts in zip(pre, latency, post, strict=True)]
    parts = [estimate_of(f"{name}_mean_ms", values) for name, values in {"pre": pre, "post": post}.items()]
    parts.append(estimate_of("latency_mean_ms", latency))
    assert sum(item.value for item in parts) == pytest.approx(estimate_of("e2e_mean_ms", whole).value)
    assert all(item.low <= item.value <= item.high for item in parts)
    assert estimate_of("pre_p50_ms", pre).value == 2.0
