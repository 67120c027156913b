"""How an engine is run on a GPU, read from a task's options."""

from dataclasses import dataclass

from agent.runtime.gpu.cuda import Wait
from jetfleet.options import AUTO, CUDA_GRAPH, OptionValues


@dataclass(frozen=True)
class GpuOptions:
    """How an engine is run, not what it is: never part of an engine's key."""

    wait: Wait = "block"
    cuda_graph: str = "off"  # or on, auto
    no_graph: str = ""  # why `auto` means off here
    zero_copy: bool = False  # where the device can
    inflight: int = 1  # inferences enqueued at a time, 1 or 2

    @property
    def wants_graph(self) -> bool:
        return self.cuda_graph == "on" or (self.cuda_graph == AUTO and not self.no_graph)

    @property
    def why_no_graph(self) -> str:
        """Empty where one is to be tried."""
        return "" if self.wants_graph else self.no_graph or "the job says so"

    @classmethod
    def of(cls, options: OptionValues) -> "GpuOptions":
        return cls(
            wait="spin" if options.word("wait") == "spin" else "block",
            cuda_graph=options.word(CUDA_GRAPH) or AUTO,
            zero_copy=options.is_on("zero_copy"),
            inflight=options.number("inflight") or 1,
        )
