"""A session with a pipeline around it: one inference begins with a file's bytes and ends with an answer.

It is a base.Session itself, so that the timed loop and everything behind it stay as they are.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.runtime.arrays import Tensor
from agent.runtime.base import RoundRecord, Session
from jetfleet.circumstances import PIPELINE
from jetfleet.errors import BadInput


@dataclass(frozen=True)
class FrameFile:
    """A file of the job as it came, by the name that its owner knows."""

    name: str
    content: bytes


class PipelineSession:
    """`inputs` are the engine's other inputs, as they stay; `tensor` is the one that frames become, `buffer` its room.

    Frames are taken in turn, `batch` for each inference. Takes the session over.
    """

    def __init__(
        self,
        session: Session,
        frames: Sequence[FrameFile],
        before: Callable[[bytes], Tensor],
        behind: Callable[[Mapping[str, Tensor]], Any] | None,
        *,
        inputs: Mapping[str, Tensor],
        tensor: str,
        batch: int,
        steps: str,
    ) -> None:
        self._session, self._frames, self._before, self._behind = session, frames, before, behind
        self._contents = [frame.content for frame in frames]
        self._inputs = {**inputs, tensor: np.array(inputs[tensor])}
        self._slots = self._inputs[tensor]  # one for each frame of a batch
        self._batch, self._steps = batch, steps
        self._place = 0  # of the next frame
        self._count = 0  # inferences since `prepare`
        self._pre_ns, self._run_ns, self._post_ns = (array("q", [0]) for _ in range(3))
        self.clock, self.wait_until = session.clock, session.wait_until

    def another(self) -> Session:
        """Raises BadInput: the steps are one thread's, and a user's function may hold state."""
        raise BadInput("a pipeline has one stream", where="subject.streams", expected="1")

    def check(self) -> Any:
        """Every frame once through the steps before the engine, and the first through all: the answer to it.

        Raises BadInput for a frame that does not become the engine's input.
        """
        if np.shape(self._made_of(self._frames[0])) == self._slots.shape:
            self._slots = self._slots[None]  # an input without a batch dimension is one frame
        wanted = self._slots.shape[1:], self._slots.dtype
        for frame in self._frames:
            made = self._made_of(frame)
            found = getattr(made, "shape", None), getattr(made, "dtype", None)
            if found != wanted:
                shown = f"{found[1]}{list(found[0])}" if found[0] is not None else type(made).__name__
                raise BadInput(
                    f"{frame.name} becomes {shown}", where="pipeline.pre", expected=f"{wanted[1]}{list(wanted[0])}"
                )
        self._place = 0
        self.infer()
        self._place = 0
        return self._behind(self._session.outputs()) if self._behind is not None else None

    def _made_of(self, frame: FrameFile) -> Tensor:
        """Raises BadInput that names the file."""
        try:
            return self._before(frame.content)
        except BadInput as error:
            raise BadInput(f"{frame.name}: {error.message}", where=error.where, expected=error.expected) from error

    def bind(self, inputs: Mapping[str, Tensor]) -> None:
        self._session.bind(inputs)

    def infer(self) -> None:
        clock = self.clock
        begin = clock()
        for slot in range(self._batch):
            self._slots[slot] = self._before(self._contents[self._place])
            self._place = (self._place + 1) % len(self._frames)
        self._session.bind(self._inputs)
        ready = clock()
        self._session.infer()
        done = clock()
        if self._behind is not None:
            self._behind(self._session.outputs())
        end = clock()
        index = min(self._count, len(self._pre_ns) - 1)  # beyond what was prepared, and between rounds: the spare one
        self._pre_ns[index], self._run_ns[index], self._post_ns[index] = ready - begin, done - ready, end - done
        self._count += 1

    def outputs(self) -> dict[str, Tensor]:
        return self._session.outputs()

    def prepare(self, count: int) -> None:
        self._session.prepare(count)
        room = bytes(8 * (count + 1))  # one more, for the spare
        self._pre_ns, self._run_ns, self._post_ns = (array("q", room) for _ in range(3))
        self._count = 0

    def collect(self) -> RoundRecord:
        """What the engine's session recorded, with `pre` and `post` around it by the same clock.

        Where that session has no clock of a device, its latency is the wall clock of its own part.
        """
        inner = self._session.collect()
        done = min(self._count, len(self._pre_ns) - 1)
        pre, run, post = (_ms(taken, done) for taken in (self._pre_ns, self._run_ns, self._post_ns))
        latency = run if inner.latency_ms is None else inner.latency_ms
        stages = {"pre": pre, "compute": latency, **inner.stages_ms}
        if self._behind is not None:
            stages["post"] = post
        return RoundRecord(stages, latency)

    def describe(self) -> dict[str, str]:
        return {**self._session.describe(), PIPELINE: self._steps, "frames": str(len(self._frames))}

    def close(self) -> None:
        self._session.close()


def _ms(taken: "array[int]", count: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.frombuffer(taken, dtype=np.int64)[:count] / 1e6
    return found
