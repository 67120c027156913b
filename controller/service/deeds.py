"""What the audit log says of jobs, devices, removals and starts."""

from dataclasses import fields

from controller.model.audit import Deed
from controller.model.job import JobSpec
from controller.model.removal import Removed, Retention
from controller.model.view import Submitted
from controller.service.options import ServeOptions
from jetfleet.v1 import control_pb2
from jetfleet.version import VERSION


def submitted_job(spec: JobSpec, submitted: Submitted) -> Deed | None:
    if submitted.repeated_request:
        return None
    return Deed("job.submit", f"job {submitted.job_id}", {"name": spec.name, "tasks": str(len(submitted.tasks))})


def retried_job(of: int, submitted: Submitted) -> Deed | None:
    if submitted.repeated_request:
        return None
    return Deed("job.retry", f"job {submitted.job_id}", {"retry_of": str(of)})


def cancelled_job(job_id: int) -> Deed:
    return Deed("job.cancel", f"job {job_id}")


def changed_device(request: control_pb2.ChangeDeviceRequest, device_id: str) -> Deed:
    """`device.rename`, `device.label`, ...: the name is that of before."""
    asked = request.WhichOneof("change") or ""
    detail = {"device_id": device_id}
    if asked == "label":
        detail |= {f"label.{name}": value for name, value in request.label.labels.items()}
    elif asked == "remove":
        detail["force"] = str(request.remove.force).lower()
    elif asked != "uncordon":
        detail[asked] = str(getattr(request, asked))
    return Deed(f"device.{asked}", f"device {request.device}", detail)


def removal(retention: Retention, removed: Removed | None) -> Deed:
    """Noted before it begins, and after it has ended: it is done in many transactions."""
    asked = {name: str(value) for name, value in vars(retention).items() if value not in (None, (), False)}
    done = {} if removed is None else {"removed": str(removed)}
    return Deed("gc.begin" if removed is None else "gc.end", "what is old", asked | done)


def start_of(options: ServeOptions) -> Deed:
    """With every option that is not as usual: what this controller lets others do may depend on it."""
    chosen = {
        item.name: str(getattr(options, item.name))
        for item in fields(options)
        if getattr(options, item.name) != item.default
    }
    return Deed("controller.start", f"version {VERSION}", chosen)
