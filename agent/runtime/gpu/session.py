"""One inference on a GPU, as trtexec times it: copy in, enqueue, copy out, each between two CUDA events.

Owns buffers, copies, events, the wait and the CUDA graph; knows neither TensorRT nor ONNX Runtime, which are both a
GpuEngine. Nothing is allocated and nothing but one event is awaited between `prepare` and `collect`: this inference's
last, or, with two in flight, that of the one before, so that the device never waits for the host to launch.
"""

import atexit
import logging
import threading
from array import array
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from agent.runtime.arrays import Tensor
from agent.runtime.base import RoundRecord
from agent.runtime.gpu.cuda import Cuda, DeviceBuffer, Event, Stream, milliseconds
from agent.runtime.gpu.engine import GpuEngine, check_input
from agent.runtime.gpu.graph_check import usable_graph
from agent.runtime.gpu.graphs import Graph
from agent.runtime.gpu.options import GpuOptions
from agent.runtime.waiting import clock_ns, wait_until
from jetfleet.circumstances import CUDA_GRAPH, INFLIGHT, ZERO_COPY
from jetfleet.errors import BadInput

_log = logging.getLogger(__name__)

# Begin and end of the copies in, of the work, of the copies out; on one stream a stage begins where the last one ends.
_Marks: TypeAlias = tuple[Event, Event, Event, Event, Event, Event]


class GpuSession:
    """A base.Session over any GpuEngine. Takes both engine and context over, and closes them also if it fails to open.

    For the thread that opened the context. `stream` is given where the engine had to know it beforehand. One more
    context and session of the same engine are opened by `another`.
    """

    clock, wait_until = staticmethod(clock_ns), staticmethod(wait_until)

    def __init__(
        self,
        engine: GpuEngine,
        cuda: Cuda,
        options: GpuOptions | None = None,
        *,
        stream: Stream | None = None,
        another: "Callable[[], GpuSession] | None" = None,
    ) -> None:
        self._engine, self._cuda, self._another = engine, cuda, another
        self._options = options or GpuOptions()
        self._zero_copy = self._options.zero_copy and cuda.coherent
        self._graph: Graph | None = None
        self._why_no_graph = self._options.why_no_graph
        self._host: dict[str, Tensor] = {}
        self._device: dict[str, DeviceBuffer] = {}
        self._round: list[_Marks] = []
        self._prepared = self._count = 0
        self._awaited: Event | None = None  # the last mark of an inference that is in flight...
        self._awaited_at = 0  # ...and its place in the round
        self._open = True
        if threading.current_thread() is threading.main_thread():  # another thread must close what it opened
            atexit.register(self.close)
        try:
            self._stream = stream or cuda.stream()
            # Two in flight have a stream for each stage, as in trtexec: what passes between stages is in none of them.
            self._ahead = self._options.inflight > 1
            self._sides = (cuda.stream(), cuda.stream()) if self._ahead and not self._zero_copy else None
            self._allocate()
            self._spare = (self._new_marks(), self._new_marks())
        except cuda.failures as error:
            fault = cuda.fault(error)  # which asks the context, while there is one
            self.close()
            raise fault from error
        except BaseException:
            self.close()
            raise
        self._in = [(self._device[slot.name], self._host[slot.name]) for slot in engine.inputs if self._device]
        self._out = [(self._host[slot.name], self._device[slot.name]) for slot in engine.outputs if self._device]
        self._enqueued_ns, self._begun_ns, self._ended_ns = (array("q", [0]) for _ in range(3))
        self._launch: Callable[[], None] = self._enqueue
        self._step = self._infer_ahead if self._ahead else self._infer

    def another(self) -> "GpuSession":
        if self._another is None:
            raise BadInput("this engine has one stream", expected="streams: 1")
        return self._another()

    def bind(self, inputs: Mapping[str, Tensor]) -> None:
        slots = {slot.name: slot for slot in self._engine.inputs}
        missing = sorted(set(slots) - set(inputs))
        if missing:
            raise BadInput(f"no value for input {', '.join(missing)}")
        for name, slot in slots.items():
            check_input(slot, inputs[name])
        self._drain()
        for name, slot in slots.items():
            np.copyto(self._host[name], slot.stored(inputs[name]))
        if self._graph is None and not self._why_no_graph:
            self._capture()

    def infer(self) -> None:
        index = min(self._count, self._prepared)  # beyond what was prepared, and between rounds: the spare ones
        marks = self._round[index] if index < self._prepared else self._spare[self._count & 1]
        try:
            self._step(marks, index)
        except self._cuda.failures as error:
            raise self._cuda.fault(error) from error
        self._count += 1

    def outputs(self) -> dict[str, Tensor]:
        self._drain()
        return {slot.name: slot.read(self._host[slot.name]) for slot in self._engine.outputs}

    def prepare(self, count: int) -> None:
        self._drain()
        while len(self._round) < count:
            self._round.append(self._new_marks())
        room = bytes(8 * (count + 1))  # one more, for the spare
        self._enqueued_ns, self._begun_ns, self._ended_ns = (array("q", room) for _ in range(3))
        self._prepared, self._count = count, 0

    def collect(self) -> RoundRecord:
        """h2d, compute and d2h by CUDA events, and their sum, which is trtexec's latency; enqueue by the host's clock.

        Without copies h2d and d2h are 0, and `describe` says why. With two in flight e2e is by readings of its own: the
        loop's are from the end of one inference to the end of the next.
        """
        self._drain()
        done = min(self._count, self._prepared)
        marks, self._prepared = self._round[:done], 0
        compute = milliseconds([(ready, finished) for _, _, ready, finished, _, _ in marks])
        h2d = d2h = np.zeros(done)
        if not self._zero_copy:
            h2d = milliseconds([(begin, loaded) for begin, loaded, _, _, _, _ in marks])
            d2h = milliseconds([(leaving, end) for _, _, _, _, leaving, end in marks])
        enqueue, begun, ended = (
            np.frombuffer(taken, dtype=np.int64)[:done] / 1e6
            for taken in (self._enqueued_ns, self._begun_ns, self._ended_ns)
        )
        stages = {"h2d": h2d, "compute": compute, "d2h": d2h, "enqueue": enqueue}
        e2e = ended - begun if self._ahead else None
        return RoundRecord(stages_ms=stages, latency_ms=h2d + compute + d2h, e2e_ms=e2e)

    def describe(self) -> dict[str, str]:
        copies = "zero-copy: host and device share memory, h2d and d2h are 0"
        return {
            "gpu": self._cuda.name,
            "pci_address": self._cuda.pci_address,
            "compute_capability": self._cuda.compute_capability,
            "sm_count": str(self._cuda.sm_count),
            "wait": self._options.wait,
            ZERO_COPY: "on" if self._zero_copy else "off",
            INFLIGHT: str(self._options.inflight),
            "copies": copies if self._zero_copy else "asynchronous, from and to page-locked memory",
            CUDA_GRAPH: "on" if self._graph else "off",
            **({"why_no_cuda_graph": self._why_no_graph} if not self._graph else {}),
            **self._engine.describe(),
        }

    def close(self) -> None:
        """Frees everything and then gives the context back; harmless when repeated."""
        if not self._open:
            return
        self._open = False
        atexit.unregister(self.close)
        try:
            if self._awaited is not None:
                self._awaited.wait()
            if self._graph is not None:
                self._graph.close()
            self._engine.close()
            for buffer in self._device.values():
                buffer.free()
        except self._cuda.failures as error:  # a device that faulted has nothing left to free
            _log.warning("not everything on the device was freed: %s", error)
        finally:
            self._forget()
            self._cuda.close()

    def _forget(self) -> None:
        """Drops what frees itself with its last reference."""
        self._device, self._host, self._in, self._out, self._round = {}, {}, [], [], []
        self.__dict__.pop("_spare", None)
        for name in ("_stream", "_sides"):
            self.__dict__.pop(name, None)
        self.__dict__.pop("_launch", None)
        self.__dict__.pop("_step", None)
        self._awaited = None

    def _allocate(self) -> None:
        for slot in (*self._engine.inputs, *self._engine.outputs):
            host = self._host[slot.name] = self._cuda.pinned(slot.stored_shape, slot.dtype)
            if self._zero_copy:
                self._engine.bind(slot.name, self._cuda.mapped(host))
            else:
                buffer = self._device[slot.name] = self._cuda.device(slot.nbytes)
                self._engine.bind(slot.name, buffer.pointer)

    def _new_marks(self) -> _Marks:
        event = self._cuda.event
        begin, ready, finished, end = event(), event(), event(), event()
        if self._sides is None:
            return begin, ready, ready, finished, finished, end
        return begin, event(), ready, finished, event(), end

    def _infer(self, marks: _Marks, index: int) -> None:
        self._put(marks, index).wait()

    def _infer_ahead(self, marks: _Marks, index: int) -> None:
        """Enqueues this inference, and waits for the one before; alone in its round, for itself."""
        self._begun_ns[index] = self.clock()
        last = self._put(marks, index) if self._sides is None else self._put_aside(marks, index, *self._sides)
        self._settle()
        self._awaited, self._awaited_at = last, index
        if self._prepared == 1:
            self._settle()

    def _settle(self) -> None:
        """Waits for the inference in flight, if there is one."""
        if self._awaited is not None:
            self._awaited.wait()
            self._ended_ns[self._awaited_at] = self.clock()
            self._awaited = None

    def _drain(self) -> None:
        try:
            self._settle()
        except self._cuda.failures as error:
            raise self._cuda.fault(error) from error

    def _put(self, marks: _Marks, index: int) -> Event:
        """Enqueues copies in, work and copies out between the marks; returns the last one."""
        begin, _, ready, finished, _, end = marks
        cuda, stream, clock = self._cuda, self._stream, self.clock
        if not self._zero_copy:
            begin.record(stream)
            for buffer, host in self._in:
                cuda.copy_in(buffer, host, stream)
        ready.record(stream)
        before = clock()
        self._launch()
        self._enqueued_ns[index] = clock() - before
        finished.record(stream)
        if self._zero_copy:
            return finished
        for host, buffer in self._out:
            cuda.copy_out(host, buffer, stream)
        end.record(stream)
        return end

    def _put_aside(self, marks: _Marks, index: int, inward: Stream, outward: Stream) -> Event:
        """The same on three streams, which wait for one another."""
        begin, loaded, ready, finished, leaving, end = marks
        cuda, stream, clock = self._cuda, self._stream, self.clock
        begin.record(inward)
        for buffer, host in self._in:
            cuda.copy_in(buffer, host, inward)
        loaded.record(inward)
        stream.wait_for(loaded)
        ready.record(stream)
        before = clock()
        self._launch()
        self._enqueued_ns[index] = clock() - before
        finished.record(stream)
        outward.wait_for(finished)
        leaving.record(outward)
        for host, buffer in self._out:
            cuda.copy_out(host, buffer, outward)
        end.record(outward)
        return end

    def _enqueue(self) -> None:
        self._engine.enqueue(self._stream.handle)

    def _capture(self) -> None:
        """After one plain inference, which lets the engine settle what a capture forbids. Tied to the addresses bound,
        which never change; an engine that has no graph runs as before, and `describe` says why."""
        self.infer()
        self._drain()
        buffers = [self._host[slot.name] for slot in self._engine.inputs]
        made = usable_graph(lambda: self._cuda.capture(self._stream, self._enqueue), buffers, self._answers)
        if isinstance(made, str):
            self._why_no_graph = made
        else:
            self._graph, self._launch = made, made.launch

    def _answers(self, launch: Callable[[], None] | None = None) -> dict[str, Tensor]:
        """What an inference on what is bound answers, with its work enqueued so; None: as it comes."""
        self._launch = launch or self._enqueue
        try:
            self.infer()
            return self.outputs()
        finally:
            self._launch = self._enqueue
