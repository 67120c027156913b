"""Where a variant's graph first leaves FP32, asked of the model child: graphs are files that anybody may have made."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from controller.intake import child_process
from controller.intake.child import MEMORY_SHARE, MODEL_TIMEOUT_S
from controller.intake.exchange import BisectRequest, ModelRequest
from controller.intake.jobfile.model_error import ModelError
from controller.model.divergence import Divergence
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
        asked = BisectRequest(str(fp32), str(lowered), tuple((name, str(path)) for name, path in inputs.items()), check)
        try:
            answer = child_process.run(_request(asked, out), timeout_s=timeout_s, progress=progress)
        except ModelError as error:
            raise BadInput(error.message, expected=error.expected, hint=error.hint) from error
    if answer.divergence is None:
        raise ValueError("the child answered something else")
    return answer.divergence


def _request(asked: BisectRequest, out: str) -> ModelRequest:
    """A request about two graphs has nothing of a job file in it."""
    return ModelRequest(
        folder=str(Path(asked.fp32).parent),
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
        bisect=asked,
    )
