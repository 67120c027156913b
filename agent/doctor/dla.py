"""Checks of the DLA: TensorRT's compiler for it, and whether board and software have one in common."""

from agent.device.files import entries, text_of
from agent.device.libraries import DLA_COMPILER, DLA_COMPILER_PACKAGE, dla_compiler_version, find_library
from agent.device.packages import version_of
from agent.doctor.board import NOT_A_JETSON
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip, warn
from agent.doctor.driver import CSV_DIR
from agent.doctor.nodes import RUN_NVIDIA
from jetfleet.modules import AGX_ORIN
from jetfleet.releases import place_of
from jetfleet.tensorrt import dla_refusal, line_of, version_number

_TENSORRT_PACKAGES = ("libnvinfer11", "libnvinfer10", "libnvinfer8", "python3-libnvinfer")


def compiler(context: CheckContext) -> CheckResult:
    """TensorRT links to it up to JetPack 6, on boards without a DLA too: where it is missing, nothing imports."""
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    if context.release is None:
        return skip("the release is unknown, and with it whether its TensorRT needs one")
    library = find_library(context.root, DLA_COMPILER)
    if library is not None and library.size_bytes:
        return _versioned(context)
    if context.release > 36:
        return _missed(context) if _dla_is_back(context) else _removed(context)
    return _needed(context, placeholder=library is not None)


def _needed(context: CheckContext, *, placeholder: bool) -> CheckResult:
    """Up to JetPack 6 it is absent or empty."""
    why = (
        f"TensorRT of JetPack {(context.release or 0) - 30} does not import without it, not even on a board with no DLA"
    )
    if placeholder:
        fix = RUN_NVIDIA if context.confined else f"sudo apt install --reinstall {DLA_COMPILER_PACKAGE}"
        return fail(f"{DLA_COMPILER} is an empty placeholder", why=why, fix=fix)
    fix = f"sudo apt install {DLA_COMPILER_PACKAGE}" + (" on the host" if context.confined else "")
    hint = "; L4T 36.4.2 was released without it" if context.l4t == "36.4.2" else ""
    return fail(f"no {DLA_COMPILER}", why=why + hint, fix=fix)


def _versioned(context: CheckContext) -> CheckResult:
    version, known = dla_compiler_version(context.root, context.env), context.board.known
    if version is None and known is not None and known.dla_cores:
        why = "its version is unknown, so no engine for a DLA can be shared with another board"
        fix = f"sudo apt install --reinstall {DLA_COMPILER_PACKAGE}"
        if context.confined:
            fix = "add `-v /var/lib/dpkg/status:/host/var/lib/dpkg/status:ro` to docker run"
        return warn(f"{DLA_COMPILER}, unknown version", why=why, fix=fix)
    return ok(version or f"{DLA_COMPILER}, unknown version")


def _dla_is_back(context: CheckContext) -> bool:
    """Whether the TensorRT of this JetPack 7 drives this module's DLA again."""
    known, release = context.board.known, place_of(context.l4t)
    if known is None or not known.dla_cores or release is None or not release.tensorrt:
        return False
    text, module = release.tensorrt, context.board.module or ""
    return not dla_refusal(f"TensorRT {text}", line_of(text), module=module, l4t=context.l4t or "")


def _missed(context: CheckContext) -> CheckResult:
    """A warning only: whether that TensorRT imports without it is told by the check that imports it."""
    why = "this release's TensorRT drives the DLA again: `placement: dla0` needs its compiler"
    fix = f"sudo apt install {DLA_COMPILER_PACKAGE}" + (" on the host" if context.confined else "")
    return warn(f"no {DLA_COMPILER}", why=why, fix=fix)


def _removed(context: CheckContext) -> CheckResult:
    """From JetPack 7 on TensorRT does without; L4T 39.2 still names the file in drivers.csv, which is not there."""
    if any(DLA_COMPILER in (text_of(path) or "") for path in entries(context.root / CSV_DIR, "*.csv")):
        return ok(f"none, and drivers.csv still names it: images whose TensorRT wants {DLA_COMPILER} fail here")
    return ok("none, and this release's TensorRT does without")


def cores(context: CheckContext) -> CheckResult:
    """The hardware's cores, and whether the TensorRT that dpkg lists still has them."""
    known = context.board.known
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    if known is None:
        return skip("the module is unknown")
    if not known.dla_cores:
        return ok("this module has none")
    found = f"{known.dla_cores} core{'s' if known.dla_cores > 1 else ''}"
    package = version_of(context.root, *_TENSORRT_PACKAGES)
    text = ".".join(map(str, version_number(package or "")[:3]))
    if not text:
        return skip(f"{found}; dpkg lists no TensorRT that could say whether it uses them")
    refused = dla_refusal(f"TensorRT {text}", line_of(text), module=context.board.module or "", l4t=context.l4t or "")
    if refused:
        return warn(found, why=f"{refused}: `placement: dla0` will be refused", fix=_way(context))
    return ok(f"{found}, and TensorRT {text} uses them")


def _way(context: CheckContext) -> str:
    """AGX Orin has two releases with a DLA, the others one."""
    newer = " or JetPack 7.2.2 with TensorRT 11.4.1" if (context.board.module or "").startswith(AGX_ORIN) else ""
    return f"JetPack 6{newer}, where a DLA is wanted; the GPU works as it is"
