"""Checks of what the board is: its identity, its release, and how it may draw power."""

from agent.device.board import conflicting_claim
from agent.device.nvpmodel import fastest, read_power_modes
from agent.device.packages import installed
from agent.device.release import refusal
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip, warn
from jetfleet.releases import jetpack_of, place_of

NOT_A_JETSON = "this machine is not a Jetson"
_BIND_FIRMWARE = (
    "start the container with `-v /sys/firmware:/host/sys/firmware:ro`, or tell it by `-e JETFLEET_MODULE=ID`, which "
    "`agent probe` or /proc/device-tree/compatible shows on the host (p3767-0003 is an Orin Nano)"
)


def identity(context: CheckContext) -> CheckResult:
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    board = context.board
    if board.module is None:
        return _unidentified(context)
    known = board.known
    found = f"{known.product if known else 'a module'} ({board.module}, from {board.source})"
    if known is None:
        why = "this agent's table does not know the module: its SKU and DLA cores stay unknown"
        return warn(found, why=why, fix="upgrade the agent, or report the id")
    if claim := conflicting_claim(context.root, context.env, board.module):
        return warn(found, why=f"JETFLEET_MODULE says {claim}, the board says otherwise", fix="unset JETFLEET_MODULE")
    return ok(found)


def _unidentified(context: CheckContext) -> CheckResult:
    if claim := conflicting_claim(context.root, context.env, None):
        why = f"JETFLEET_MODULE={claim} is not the id of a module, and nothing else names one"
        return fail("no module id", why=why, fix="JETFLEET_MODULE is like p3767-0003, which is an Orin Nano")
    if context.confined:
        why = "Docker masks /sys/firmware, so the device tree cannot be read here"
        return fail("no module id", why=why, fix=_BIND_FIRMWARE)
    why = "neither the device tree nor /etc/nv_boot_control.conf names a module"
    fix = (
        "`tr '\\0' '\\n' < /proc/device-tree/compatible` shows what the board says; set JETFLEET_MODULE if it is right"
    )
    return fail(context.board.model or "no module id", why=why, fix=fix)


def release(context: CheckContext) -> CheckResult:
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    l4t = context.l4t
    if l4t is None:
        return fail(
            "no L4T release",
            why="/etc/nv_tegra_release is missing and dpkg has no nvidia-l4t-core",
            fix=_release(context),
        )
    jetpack = jetpack_of(l4t)
    if refused := refusal(l4t, context.board.chip):
        why, fix = refused
        return fail(f"JetPack {jetpack or 'unknown'} (L4T {l4t})", why=why, fix=fix)
    known = place_of(l4t)
    if known is None:
        why = "a release that this agent does not know: a preview, or newer than the agent"
        return warn(f"L4T {l4t}", why=why, fix="upgrade the agent; `agent probe` shows what it could read")
    if known.l4t != l4t:
        why = f"a release that this agent does not know: targets take it for JetPack {known.jetpack} (L4T {known.l4t})"
        return warn(f"L4T {l4t}", why=why, fix="upgrade the agent")
    return ok(f"JetPack {jetpack}{' preview' if known.preview else ''} (L4T {l4t})")


def _release(context: CheckContext) -> str:
    if context.confined:
        return "start the container with `--runtime nvidia`, or `-v /etc/nv_tegra_release:/etc/nv_tegra_release:ro`"
    return "sudo apt install --reinstall nvidia-l4t-core"


def packages(context: CheckContext) -> CheckResult:
    """L4T's packages belong together: a partial upgrade leaves a driver and libraries of two releases."""
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    versions = {name: text.partition("-")[0] for name, text in installed(context.root, "nvidia-l4t-").items()}
    if not versions:
        return skip("dpkg lists none here" + ("; they are the host's" if context.confined else ""))
    usual = max(set(versions.values()), key=list(versions.values()).count)
    odd = [f"{name} {version}" for name, version in sorted(versions.items()) if version != usual]
    if odd:
        why = f"the other {len(versions) - len(odd)} are {usual}: a partial upgrade mixes two drivers"
        return warn(", ".join(odd[:4]), why=why, fix="sudo apt update && sudo apt full-upgrade, then reboot")
    return ok(f"{len(versions)} of {usual}")


def power_mode(context: CheckContext) -> CheckResult:
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    found = read_power_modes(context.root)
    if not found.modes or found.current is None:
        return _unknown_mode(context, known=bool(found.modes))
    best = fastest(found.names)
    if best is None or found.current == best:
        return ok(found.current)
    why = f"{best} is the board's fastest mode: every number will be this one's, not the board's best"
    fix = f"sudo nvpmodel -m {found.id_of(best)}   # {best}; asks for a reboot where it must"
    return warn(found.current, why=why, fix=fix)


def _unknown_mode(context: CheckContext, *, known: bool) -> CheckResult:
    missing = "/var/lib/nvpmodel/status" if known else "/etc/nvpmodel.conf"
    if context.confined:
        fix = (
            "add `-v /etc/nvpmodel.conf:/etc/nvpmodel.conf:ro -v /var/lib/nvpmodel:/var/lib/nvpmodel:ro` to docker run"
        )
    else:
        fix = "sudo systemctl restart nvpmodel.service && sudo nvpmodel -q"
    return warn("unknown", why=f"{missing} says nothing: results will not tell their power mode", fix=fix)
