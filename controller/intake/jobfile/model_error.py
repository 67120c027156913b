"""A user's mistake that only the model shows: where in job.yaml it was made, as steps that the document can place."""

from controller.intake.jobfile.yaml import Steps


class ModelError(Exception):
    """`steps` lead into job.yaml, unless `where` names another place, e.g. a line of the user's Python."""

    def __init__(
        self, message: str, *, steps: Steps = ("model",), where: str = "", expected: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.steps, self.where = message, steps, where
        self.expected, self.hint = expected, hint


def calibration_missing(steps: Steps, *, evaluation: bool) -> ModelError:
    """That INT8 is asked for and there is nothing to learn ranges from."""
    never = "; evaluation data is never used for it, which would flatter the accuracy" if evaluation else ""
    return ModelError(
        f"int8 needs data to calibrate with{never}",
        steps=steps,
        expected="model.data.calibration",
        hint="\n".join(["add:", "model:", "  data:", "    calibration: FILE.npz"]),
    )
