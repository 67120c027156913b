"""The public Python API: `from controller import connect`. Names are imported when they are first used.

So `import controller` costs nothing, and the command line starts without what it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.api.discovery import connect
    from controller.api.job import Job
    from controller.api.listing import Devices, Jobs
    from controller.api.results import Results
    from controller.api.submission import JobsRefused
    from controller.model.comparison import Answer, Axis, Comparison, ComparisonReport
    from controller.model.engine import EngineView
    from controller.model.job import Condition, JobSpec, Op, Precision, Variant
    from controller.model.result import Estimate, Measurement, Provenance, Row
    from controller.model.task import FailureKind, JobState, TaskState
    from controller.model.view import DeviceView, JobView, ResultQuery, TaskView
    from jetfleet.errors import BadInput, Infrastructure, JetfleetError, NotFound, Unreachable

_HOMES = {
    "controller.api.client": ("Client",),
    "controller.api.discovery": ("connect",),
    "controller.api.job": ("Job",),
    "controller.api.listing": ("Devices", "Jobs"),
    "controller.api.results": ("Results",),
    "controller.api.submission": ("JobsRefused",),
    "controller.model.comparison": ("Answer", "Axis", "Comparison", "ComparisonReport"),
    "controller.model.engine": ("EngineView",),
    "controller.model.job": ("Condition", "JobSpec", "Op", "Precision", "Variant"),
    "controller.model.result": ("Estimate", "Measurement", "Provenance", "Row"),
    "controller.model.task": ("FailureKind", "JobState", "TaskState"),
    "controller.model.view": ("DeviceView", "JobView", "ResultQuery", "TaskView"),
    "jetfleet.errors": ("BadInput", "Infrastructure", "JetfleetError", "NotFound", "Unreachable"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "Axis",
    "BadInput",
    "Client",
    "Comparison",
    "ComparisonReport",
    "Condition",
    "DeviceView",
    "Devices",
    "EngineView",
    "Estimate",
    "FailureKind",
    "Infrastructure",
    "JetfleetError",
    "Job",
    "JobSpec",
    "JobState",
    "JobView",
    "Jobs",
    "JobsRefused",
    "Measurement",
    "NotFound",
    "Op",
    "Precision",
    "Provenance",
    "ResultQuery",
    "Results",
    "Row",
    "TaskState",
    "TaskView",
    "Unreachable",
    "Variant",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'controller' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
