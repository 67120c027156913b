"""The `model.data` of job.yaml: what a model is evaluated on and calibrated with, and by which metrics."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from controller.intake.jobfile.strict import Strict, distinct, problem
from controller.model.job import AccuracyMetric
from jetfleet.pipeline.callables import PATTERN

Reference: TypeAlias = Annotated[str, Field(pattern=PATTERN)]


class OwnMetric(Strict):
    """A measure of accuracy by a function of the user's."""

    iou: Reference | None = None
    mean_ap: Reference | None = None
    score: Reference | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "OwnMetric":
        if len(self.said) != 1:
            raise problem(f"{len(self.said)} measures in one mapping", expected="one: {mean_ap: FILE.py:FUNCTION}")
        return self

    @property
    def said(self) -> list[tuple[str, str]]:
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return [(name, value) for name, value in given if value is not None]


AccuracyText: TypeAlias = Literal["top1", "top5", "mae"] | OwnMetric


class DataSection(Strict):
    evaluation: str | None = Field(default=None, description=".npz with one array per input, and `labels`")
    output: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="the output that holds the scores, or the labels, of `evaluation`; default: the only one that can",
    )
    calibration: str | None = Field(
        default=None, description=".npz with one array per input, which int8 learns its ranges from"
    )

    metrics: Annotated[list[AccuracyText], Field(min_length=1), AfterValidator(distinct)] | None = Field(
        default=None,
        description="top1, top5, mae (mean absolute error); {iou | mean_ap | score: FILE.py:FUNCTION} by a function of "
        "your own, called with a dict of the outputs and the labels of all rows; default: top1",
    )

    @model_validator(mode="after")
    def _of_something(self) -> "DataSection":
        for name in ("output", "metrics"):
            if getattr(self, name) is not None and self.evaluation is None:
                message = f"{name} belongs to evaluation, and there is none"
                raise problem(message, expected="evaluation: FILE.npz beside it")
        return self


_BUILT_IN = {"top1": "accuracy", "top5": "accuracy_top5", "mae": "mean_abs_error"}


def accuracy_metrics(data: DataSection) -> tuple[AccuracyMetric, ...]:
    """What is measured on the evaluation data, by the names of jetfleet.metrics; top-1 where nothing is said."""
    if data.evaluation is None:
        return ()
    found = []
    for item in data.metrics or ("top1",):
        name, function = (_BUILT_IN[item], "") if isinstance(item, str) else item.said[0]
        found.append(AccuracyMetric(name, function))
    return tuple(found)
