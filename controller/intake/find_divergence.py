"""Where a variant's graph first leaves FP32, asked of the model child: graphs are files that anybody may have made."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from controller.intake import child_process
from controller.intake.child import MEMORY_SHARE, MODEL_TIMEOUT_S
from controller.intake.exchange import BisectRequest, Marked, MarkRequest, ModelAnswer, ModelRequest
from controller.intake.jobfile.model_error import ModelError
from controller.model.divergence import Divergence, Suspect
from controller.model.job import OutputCheck
from jetfleet.errors import BadInput


def bisect(
    fp32: Path,
    lowered: Path,
    inputs: Mapping[str, Path],
    check: OutputCheck,
    *,
    progress: Callable[[str], None],
    timeout_s: float = MODEL_TIMEOUT_S,
) -> Divergence:
    """Each graph's external data lies beside it. Raises BadInput where a graph does not run, TimeLimit."""
    with tempfile.TemporaryDirectory(prefix="jetfleet-bisect-") as out:
        asked = BisectRequest(str(fp32), str(lowered), _named(inputs), check)
        answer = _ask(replace(_request(fp32, out), bisect=asked), timeout_s=timeout_s, progress=progress)
    if answer.divergence is None:
        raise ValueError("the child answered something else")
    return answer.divergence


def find_suspects(
    fp32: Path, graphs: Sequence[Path], outputs: Sequence[str], *, timeout_s: float = MODEL_TIMEOUT_S
) -> tuple[Suspect, ...]:
    """Tensors that lead to these outputs and that all graphs make, in FP32's order. Raises BadInput, TimeLimit."""
    with tempfile.TemporaryDirectory(prefix="jetfleet-bisect-") as out:
        asked = MarkRequest(str(fp32), tuple(map(str, graphs)), (), tuple(outputs))
        return _ask(replace(_request(fp32, out), mark=asked), timeout_s=timeout_s, progress=_unheard).suspects


def mark(
    fp32: Path,
    graphs: Sequence[Path],
    inputs: Mapping[str, Path],
    tensor: str,
    out: Path,
    *,
    timeout_s: float = MODEL_TIMEOUT_S,
) -> Marked:
    """The graphs with that tensor as one more output, and what FP32 makes of it; the files lie in `out`.

    Raises BadInput where FP32's graph does not run, TimeLimit.
    """
    asked = MarkRequest(str(fp32), tuple(map(str, graphs)), _named(inputs), (), tensor)
    found = _ask(replace(_request(fp32, str(out)), mark=asked), timeout_s=timeout_s, progress=_unheard).marked
    if found is None:
        raise ValueError("the child answered something else")
    return found


def _named(paths: Mapping[str, Path]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(path)) for name, path in paths.items())


def _unheard(line: str) -> None:
    """A probe is told as a whole."""


def _ask(request: ModelRequest, *, timeout_s: float, progress: Callable[[str], None]) -> ModelAnswer:
    try:
        return child_process.run(request, timeout_s=timeout_s, progress=progress)
    except ModelError as error:
        raise BadInput(error.message, expected=error.expected, hint=error.hint) from error


def _request(fp32: Path, out: str) -> ModelRequest:
    """A request about graphs has nothing of a job file in it."""
    return ModelRequest(
        folder=str(fp32.parent),
        torch="",
        onnx="",
        args={},
        inputs={},
        evaluation="",
        accuracy_output="",
        calibration="",
        lower=(),
        batches=(),
        own_batch=False,
        seed=0,
        opset=0,
        exporter="",
        export_cache="",
        lowering_cache="",
        out=out,
        memory_bytes=int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE),
    )
