"""Whether a job may ask for power modes and clocks here: what the board's helper says that it can set."""

from agent.doctor.check import CheckContext, CheckResult, ok, skip, warn
from agent.helper.client import ask, helper_socket
from jetfleet.errors import Infrastructure

_INSTALL = "sudo agent install --native, or --container: it brings the helper"


def settings(context: CheckContext) -> CheckResult:
    if not context.live:
        return skip("another machine's files: its helper cannot be asked")
    path = helper_socket(context.env)
    if not path.exists():
        if context.kind != "jetson":
            return skip("no helper: a job cannot ask for locked clocks here")
        why = "a job cannot ask for a power mode or for locked clocks here"
        fix = "add `-v /run/jetfleet:/run/jetfleet` to docker run" if context.confined else _INSTALL
        return warn("no helper", why=why, fix=fix)
    try:
        answer = ask("read-mode", path=path)
    except Infrastructure as error:
        return warn("the helper does not answer", why=error.message, fix=error.hint)
    if not answer.get("ok"):
        why = str(answer.get("error"))
        return warn("the helper refuses", why=why, fix="run it as the agent's user: sudo -u jetfleet agent doctor")
    return _told(answer["settable"], answer["lockable"], [name for _, name in answer["modes"]])


def _told(settable: list[str], lockable: list[str], modes: list[str]) -> CheckResult:
    found = f"power modes {', '.join(settable) or 'none'}; locks the clocks of {', '.join(lockable) or 'nothing'}"
    if modes and not settable:
        return warn(found, why="nvpmodel is missing, or tells no mode in force", fix="sudo nvpmodel -q")
    rest = [name for name in modes if name not in settable]
    return ok(f"{found}; {', '.join(rest)} only by a reboot" if rest else found)
