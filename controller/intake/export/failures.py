"""Why an export failed, in the user's terms: the operator, the line of forward(), and what to do about it.

Exporters raise pages; the parts that matter are the innermost reason, and the node they were at.
"""

import re
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from controller.intake.export import user_code
from controller.intake.graph import onnx_files
from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError

_LINE = re.compile(r'File "([^"]+)", line (\d+)')
_FIXED = re.compile(r"static shape of \d+ for dimension inputs\[['\"]?(\w+)['\"]?\]\.shape\[(\d+)\]")
_MODEL_LIBRARY = re.compile(r"site-packages/(?!torch/|onnx|controller/)")
_ADVICE = "branch on shapes or configuration, not on values of tensors; or give a number in place of an open size"
_IN_A_LIBRARY = (
    "what works for many models of libraries: attn_implementation='eager' where it is made, or "
    "`export: {exporter: legacy}`; or a number in place of an open size"
)
_NO_OPERATOR = "compute it outside of the model or by other operators; `export: {exporter: legacy}` may know it"


def explain(error: BaseException, inputs: Sequence[Input]) -> ModelError:
    """The innermost reason, less pages of advice."""
    causes = list(_causes(error))
    text = str(causes[-1])
    if found := _FIXED.search(text):
        return fixed(_fixed_input(found[1], inputs), int(found[2]))
    node = next(filter(None, map(_node_of, causes)), None)
    if node is not None:
        return _unknown_operator(node, causes[-1])
    places = [*_LINE.findall(text), *_frames(causes[-1])]
    reason = f"{type(causes[-1]).__name__}: {onnx_files.first_line(causes[-1])}"
    return ModelError(
        f"the model cannot be exported: {reason}{_inside(places)}",
        steps=("model", "torch"),
        where=_users(places),
        expected="a forward() that can be traced, with sizes left open where inputs say so",
        hint=_IN_A_LIBRARY if _inside(places) else _ADVICE,
    )


def fixed(item: Input, index: int) -> ModelError:
    """forward() made a number of a size that was to stay open."""
    name = item.open.get(index, "batch")
    what = "batch size" if name == "batch" else f"size of {name}"
    return ModelError(
        f"forward() works for one {what} only: it fixes dimension {index} of input {item.name!r}",
        steps=("model", "inputs", item.name, "shape", index),
        expected=f"a forward() for any {what}: sizes from x.shape, or -1, in view and reshape",
        hint=f"or write a number in place of `{name}`",
    )


def _fixed_input(name: str, inputs: Sequence[Input]) -> Input:
    """By its name, or by its place where forward() is called in order."""
    return next((item for item in inputs if item.name == name), inputs[int(name) if name.isdigit() else 0])


def _unknown_operator(node: torch.fx.Node, error: BaseException) -> ModelError:
    places = _LINE.findall(str(node.meta.get("stack_trace", "")))
    return ModelError(
        f"the exporter has no ONNX for the operator {node.target}{_inside(places)}: {onnx_files.first_line(error)}",
        steps=("model", "torch"),
        where=_users(places),
        expected="operators that ONNX has",
        hint=_NO_OPERATOR,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """From the outermost to the innermost."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__


def _node_of(error: BaseException) -> torch.fx.Node | None:
    """The node that the exporter was translating: its errors name no line, but its frames hold the node."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        node = trace.tb_frame.f_locals.get("node")
        if isinstance(node, torch.fx.Node) and "translat" in trace.tb_frame.f_code.co_name:
            found = node
        trace = trace.tb_next
    return found


def _frames(error: BaseException) -> list[tuple[str, str]]:
    return [(frame.filename, str(frame.lineno)) for frame in traceback.extract_tb(error.__traceback__)]


def _users(places: Sequence[tuple[str, str]]) -> str:
    """The innermost line that is the user's own."""
    lines = [f"{file}:{line}" for file, line in places if user_code.is_users(file)]
    return lines[-1] if lines else ""


def _inside(places: Sequence[tuple[str, str]]) -> str:
    """The line of a library's model that is further in than any of the user's: torch itself is never to blame."""
    said = ""
    for file, line in places:
        if user_code.is_users(file):
            said = ""
        elif _MODEL_LIBRARY.search(file):
            said = f" (in {Path(file).name}:{line})"
    return said
