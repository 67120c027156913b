"""The steps of a pipeline, as they come with a task, put together: one function before the engine, one behind it."""

from collections.abc import Callable, Sequence
from typing import Any

from agent.pipeline.answers import Answer, AnswerStep, answer_step
from agent.pipeline.callables import UserFunctions
from agent.pipeline.pixels import FrameStep, decoder, frame_step, is_channels_first
from agent.runtime.arrays import Tensor
from jetfleet.errors import BadInput
from jetfleet.pipeline.steps import CALLABLE, POST, PRE, PipelineStep, StepArgument, text_of
from jetfleet.v1 import task_pb2


def read_steps(messages: Sequence[task_pb2.PipelineStep], *, known: "Sequence[str]") -> list[PipelineStep]:
    """Raises BadInput for a step that this version does not know."""
    for item in messages:
        if item.step not in known:
            raise BadInput(f"this agent has no step {item.step!r}", where="pipeline", expected=", ".join(known))
    return [
        PipelineStep(item.step, tuple(StepArgument(one.name, tuple(one.numbers), one.text) for one in item.arguments))
        for item in messages
    ]


def before(pipeline: task_pb2.Pipeline, users: UserFunctions) -> Callable[[bytes], Tensor]:
    """From a file's bytes to the frame that the engine reads."""
    steps = read_steps(pipeline.pre, known=tuple(PRE))
    if not steps or steps[0].step not in ("decode", CALLABLE):
        raise BadInput("the first step does not read files", where="pipeline.pre", expected="decode, or a callable")
    functions: list[Callable[[Any], Any]] = []
    for index, step in enumerate(steps):
        functions.append(_frame_step(step, steps[:index], users))

    def prepare(content: bytes) -> Tensor:
        made: Any = content
        for function in functions:
            made = function(made)
        frame: Tensor = made
        return frame

    return prepare


def behind(pipeline: task_pb2.Pipeline, users: UserFunctions) -> Callable[[Answer], Any] | None:
    """From the outputs to the answer; None where nothing stands behind the engine."""
    steps = read_steps(pipeline.post, known=tuple(POST))
    functions: list[AnswerStep | Callable[[Any], Any]] = [
        users.find(text_of(step, "function")) if step.step == CALLABLE else answer_step(step) for step in steps
    ]
    if not functions:
        return None

    def answer(outputs: Answer) -> Any:
        made: Any = outputs
        for function in functions:
            made = function(made)
        return made

    return answer


def _frame_step(
    step: PipelineStep, earlier: Sequence[PipelineStep], users: UserFunctions
) -> FrameStep | Callable[[Any], Any]:
    if step.step == CALLABLE:
        return users.find(text_of(step, "function"))
    if step.step == "decode":
        return decoder(step)
    return frame_step(step, channels_first=is_channels_first(earlier))
