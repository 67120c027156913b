"""Checks of the way to the controller: does it answer, and do the two clocks agree."""

import asyncio
import time

from agent.daemon.client import Link
from agent.daemon.credentials import credentials_for
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip, warn
from agent.doctor.host import NOT_LIVE
from jetfleet.errors import JetfleetError
from jetfleet.transport import Credentials
from jetfleet.v1 import control_pb2
from jetfleet.version import VERSION

_APART_S = 60.0
_CALL_S = 10.0
_ENROL = "on the controller: `controller enroll new` prints the line to run here"


def controller(context: CheckContext) -> CheckResult:
    if not context.live:
        return skip(NOT_LIVE)
    if context.address is None:
        return skip("no controller given: `agent doctor --address HOST:50052`")
    try:
        answer, apart_s = asyncio.run(_hello(context.address, credentials_for(context.address, context.state_dir)))
    except JetfleetError as error:
        return fail(error.message, why=f"no agent can work for {context.address}", fix=error.hint or _ENROL)
    return judge(answer, apart_s, address=context.address)


async def _hello(address: str, credentials: Credentials | None) -> tuple[control_pb2.HelloResponse, float | None]:
    """The controller's answer, and how many seconds this clock is ahead of its; None from one that does not tell."""
    async with Link(address, credentials) as link:
        before = time.time()
        answer = await link.hello(timeout_s=_CALL_S)
        after = time.time()
    if not answer.HasField("now"):
        return answer, None
    return answer, (before + after) / 2 - answer.now.ToNanoseconds() / 1e9


def judge(answer: control_pb2.HelloResponse, apart_s: float | None, *, address: str) -> CheckResult:
    """Leases and results do not depend on this clock: a wrong one is not a failure, but makes logs hard to read."""
    found = f"{address}, version {answer.version}"
    if answer.version != VERSION:
        why = f"this agent is {VERSION}"
        return warn(found, why=why, fix="upgrade the older of the two: pip install -U 'jetfleet[agent]'")
    if apart_s is None:
        return ok(found)
    if abs(apart_s) > _APART_S:
        why = f"this clock is {abs(apart_s):.0f} s {'ahead of' if apart_s > 0 else 'behind'} the controller's"
        return warn(found, why=why, fix="sudo timedatectl set-ntp true && timedatectl")
    return ok(f"{found}, clocks {abs(apart_s):.1f} s apart")
