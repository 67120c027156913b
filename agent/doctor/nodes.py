"""The check of device nodes: which CUDA needs, which of them this user may not open, and which group would let it.

What is said of nodes is advice: a CUDA context that works overrules all of it.
"""

from pathlib import Path

from agent.device.files import is_there
from agent.device.nodes import RENDER_NODE, NodeList, NodeOwner, closed_at, cuda_nodes, groups_of, least_access
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip, warn
from agent.doctor.trial_process import TrialResult

RUN_NVIDIA = "start the container with `docker run --runtime nvidia` (not --gpus, which csv mode refuses)"
NO_GPU = "this machine has no NVIDIA GPU"
_SERVER = ("dev/nvidiactl", "dev/nvidia0")
# How a node that is missing or closed shows: CUDA's errors, and what the driver prints before them.
_DENIED = ("(801)", "(999)", "ermission denied", "NvRmMemInit")


def device_nodes(context: CheckContext) -> CheckResult:
    if context.kind == "cpu":
        return skip(NO_GPU)
    nodes = needed(context)
    found = _shown(nodes.present, context.root)
    if context.cuda is not None and not context.cuda.error:
        return ok(f"CUDA works with {found}")
    if explained := explain(nodes, context):
        said, why, fix = explained
        return fail(said, why=why, fix=fix)
    if nodes.doubtful:
        why = "other boards of this kind have them; whether CUDA works without is not known"
        return warn(f"{found}; no {' and no '.join(nodes.doubtful)}", why=why, fix=_bring(nodes.doubtful, context))
    return ok(found)


def needed(context: CheckContext) -> NodeList:
    if context.kind == "jetson":
        return cuda_nodes(context.root, chip=context.board.chip, release=context.release)
    return NodeList(tuple(context.root / name for name in _SERVER if is_there(context.root / name)), ())


def explain(nodes: NodeList, context: CheckContext) -> tuple[str, str, str] | None:
    """What is wrong with the nodes, why that matters, and the way out; None where nothing is seen to be wrong."""
    if nodes.missing:
        why = "CUDA cannot reach the GPU"
        if nodes.missing == (f"/{RENDER_NODE}",):
            why = "CUDA of JetPack 6 opens the render node first: without it cuInit answers 801 (not supported)"
        return f"no {' and no '.join(nodes.missing)}", why, _bring(nodes.missing, context)
    closed = [node for node in nodes.present if not context.may_access(node, least_access(context.root, node))]
    if not closed:
        return None
    owners = {node: context.owner_of(node) for node in closed}
    groups = _named(owners, context)
    why = f"this user is not in {groups}; cuInit answers 801 or 999, or prints `Permission denied`"
    return f"{_shown(tuple(closed), context.root)} may not be opened", why, _let_in(owners, context)


def explain_denied(trial: TrialResult, context: CheckContext) -> tuple[str, str] | None:
    """Why CUDA was refused and what to do, where its words are those of a node that is missing or closed."""
    if not any(sign in f"{trial.error}\n{trial.log}" for sign in _DENIED):
        return None
    if explained := explain(needed(context), context):
        said, why, fix = explained
        return f"{said}: {why}", fix
    if "(801)" in trial.error:
        why = "not supported: on JetPack 6 that is a render node that is missing or may not be opened"
        return why, _bring((f"/{RENDER_NODE}",), context)
    if "(999)" in trial.error or "ermission denied" in trial.log:
        why = (
            "the driver could not open what it needs, mostly /dev/nvmap (group video) or the render node (group render)"
        )
        return why, _by_hand(context)
    return None


def _bring(names: tuple[str, ...], context: CheckContext) -> str:
    """How nodes get here that are not."""
    only_render = names == (f"/{RENDER_NODE}",)
    if context.confined and only_render:
        return (
            f"add `--device {names[0]} --group-add NUMBER` to docker run, with the number that "
            f"`stat -c %g {names[0]}` prints on the host"
        )
    if context.confined:
        return RUN_NVIDIA
    if only_render:
        return (
            "`sudo dmesg | grep -iE 'tegra-drm|host1x'` tells why there is none; `sudo modprobe tegra_drm` may bring it"
        )
    return "`sudo dmesg | grep -iE 'nvgpu|nvmap'` tells why the driver did not load"


def _let_in(owners: dict[Path, NodeOwner], context: CheckContext) -> str:
    """By group where the node's group may open it; else the node itself is wrong."""
    unfit = [node for node, owner in owners.items() if not owner.gid or not owner.group_may]
    if unfit and not context.confined:
        closed = dict.fromkeys(closed_at(node) for node in unfit)
        paths = " ".join(f"/{path.relative_to(context.root)}" for path in closed)
        return (
            f"sudo chgrp video {paths} && sudo chmod g+rwX {paths}   # until the next boot; a udev rule makes it last"
        )
    numbers = sorted({owner.gid for owner in owners.values()})
    if context.confined:
        added = " ".join(f"--group-add {number}" for number in numbers)
        return f"add `{added}` to docker run: numbers, because names mean other groups in an image"
    user, groups = context.env.get("USER", "THE_AGENTS_USER"), groups_of(context.root)
    if all(user in groups.get(number, ("", ()))[1] for number in numbers):
        return f"{user} is in the groups by now: log in again, or restart the agent's service"
    names = ",".join(groups[number][0] if number in groups else str(number) for number in numbers)
    return f"sudo usermod -aG {names} {user}   # then log in again, or restart the agent's service"


def _by_hand(context: CheckContext) -> str:
    if context.confined:
        return "on the host, `stat -c '%n %g %a' /dev/nvmap /dev/dri/renderD128`; add `--group-add` with both numbers"
    user = context.env.get("USER", "THE_AGENTS_USER")
    return f"sudo usermod -aG video,render {user}   # then log in again; `ls -l /dev/nvmap /dev/dri` shows the groups"


def _named(owners: dict[Path, NodeOwner], context: CheckContext) -> str:
    groups = groups_of(context.root)
    found = []
    for number in sorted({owner.gid for owner in owners.values()}):
        known = groups.get(number) if not context.confined else None
        found.append(f"group {known[0]} ({number})" if known else f"group {number}")
    return " and ".join(found)


def _shown(nodes: tuple[Path, ...], root: Path) -> str:
    """Folders once, with what is in them."""
    folders: dict[str, list[str]] = {}
    for node in nodes:
        folders.setdefault(f"/{node.parent.relative_to(root)}", []).append(node.name)
    parts = [f"{folder}/{','.join(names)}" for folder, names in folders.items()]
    return ", ".join(parts) or "no node known here"
