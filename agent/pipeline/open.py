"""Puts a task's pipeline around its session, and looks once that every frame becomes what the engine reads."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from agent.pipeline.callables import UserFunctions
from agent.pipeline.session import FrameFile, PipelineSession
from agent.runtime.arrays import Tensor
from agent.runtime.base import Locate, Session
from jetfleet.circumstances import INFLIGHT
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_FRAME, Subject

_log = logging.getLogger(__name__)
_SHOWN = 20  # numbers of an answer in the log


def open_pipeline(
    session: Session, subject: Subject, locate: Locate, inputs: Mapping[str, Tensor], users: UserFunctions
) -> PipelineSession:
    """`inputs` are the engine's, of which the pipeline's tensor is replaced.

    Raises BadInput for what does not fit, Infrastructure where the image library is missing.
    """
    pipeline = subject.pipeline
    try:
        from agent.pipeline import functions
    except ModuleNotFoundError as error:
        raise Infrastructure(
            f"a pipeline needs the image library, and {error.name} is not installed here",
            hint="pip install 'jetfleet[pipeline]'",
        ) from error
    if session.describe().get(INFLIGHT, "1") != "1":
        raise BadInput("a pipeline and two inferences in flight", where="options.inflight", expected="inflight: 1")
    if pipeline.tensor not in inputs:
        raise BadInput(
            f"the engine has no input {pipeline.tensor!r}", where="pipeline.tensor", expected=", ".join(inputs)
        )
    files = [item for item in subject.artifacts if item.role == ARTIFACT_ROLE_FRAME]
    frames = [FrameFile(name_of(item.name), locate(item).read_bytes()) for item in files]
    if not frames:
        raise BadInput("the task brings no frames", where="pipeline.input")
    found = PipelineSession(
        session,
        frames,
        functions.before(pipeline, users),
        functions.behind(pipeline, users),
        inputs=inputs,
        tensor=pipeline.tensor,
        batch=max(subject.batch, 1),
        steps=steps_of(subject),
    )
    answer = found.check()
    if answer is not None:
        _log.info("the answer to the first frames: %s", json.dumps(_plain(answer)))
    return found


def name_of(artifact: str) -> str:
    """The file's own: the workstation sets its place before it, `003-cat.jpg`."""
    place, _, name = artifact.partition("-")
    return name if name and place.isdigit() else artifact


def steps_of(subject: Subject) -> str:
    """The steps in words: `decode, resize 224 224 -> softmax`; rows whose words differ are not compared."""
    sides = (subject.pipeline.pre, subject.pipeline.post)
    return " -> ".join(", ".join(map(_words, side)) or "nothing" for side in sides)


def _words(step: Any) -> str:
    given = [word for item in step.arguments for word in ([f"{number:g}" for number in item.numbers] or [item.text])]
    return " ".join([step.step, *given])


def _plain(answer: Any) -> Any:
    if isinstance(answer, Mapping):
        return {str(name): _plain(item) for name, item in answer.items()}
    if isinstance(answer, list | tuple):
        return [_plain(item) for item in answer[:_SHOWN]]
    if isinstance(answer, np.ndarray):
        return np.round(answer.ravel()[:_SHOWN].astype(np.float64), 6).tolist()
    return answer if isinstance(answer, bool | int | float | str) else str(answer)[:200]
