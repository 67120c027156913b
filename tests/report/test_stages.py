"""What a pipeline's stages and a job's own accuracies are to people."""

from controller.model.result import Estimate
from controller.report.text.stages import stage_lines
from testing.measurements import measurement


def test_the_stages_of_a_pipeline_are_told_as_a_sum() -> None:
    metrics = {"pre_mean_ms": 20.0, "latency_mean_ms": 1.5, "post_mean_ms": 0.25, "residual_mean_ms": 0.01}
    found = measurement(
        **{name: Estimate(value) for name, value in {**metrics, "e2e_mean_ms": 21.76, "iou": 0.5}.items()},
        circumstances={"pipeline": "decode -> softmax"},
        accuracy_n=10,
    )
    stages, accuracy = stage_lines(found)
    assert stages == (
        "pre 20.00 + latency 1.500 + post 0.2500 + residual 0.01000 = e2e 21.76 ms (means); decode -> softmax"
    )
    assert accuracy == "iou 0.5000 (n=10)"
    assert list(stage_lines(measurement(e2e_mean_ms=Estimate(1.0)))) == []
