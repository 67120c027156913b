"""Where something runs: a CPU, a GPU, a DLA core, or several of them at the same time. Pure.

A placement travels and is stored as text, `gpu+dla0+dla1`; only this module knows how that text is made up. An engine
that is built for one DLA core is loaded on any, so its own placement is `dla` without a number.
"""

import re
from dataclasses import dataclass

CPU, GPU, DLA = "cpu", "gpu", "dla"
CORES = ("dla0", "dla1")  # no module has more
_CORE = re.compile(rf"{DLA}(?P<core>\d*)")
_MOST_PARTS = 8
_PART = f"({CPU}|{GPU}|{DLA}[01])"
PATTERN = rf"^{_PART}(\+{_PART}){{0,{_MOST_PARTS - 1}}}$"


@dataclass(frozen=True)
class Placement:
    """One part or several; `kind`, `core` and `engine` are of one part. Empty text is a runtime's default place."""

    text: str

    @property
    def is_valid(self) -> bool:
        """Whether a job may ask for it."""
        return re.fullmatch(PATTERN, self.text) is not None

    @property
    def parts(self) -> tuple[str, ...]:
        """What is measured at the same time, in its order."""
        return tuple(self.text.split("+"))

    @property
    def kinds(self) -> frozenset[str]:
        """Which of cpu, gpu and dla its parts are."""
        return frozenset(Placement(part).kind for part in self.parts)

    @property
    def kind(self) -> str:
        """cpu, gpu or dla; what it is not known as is its own kind."""
        return DLA if _CORE.fullmatch(self.text) else self.text

    @property
    def is_dla(self) -> bool:
        return self.kind == DLA

    @property
    def is_cpu(self) -> bool:
        return self.kind == CPU

    @property
    def is_gpu(self) -> bool:
        return self.kind == GPU

    @property
    def core(self) -> int | None:
        """The number of its DLA core; None where it names none."""
        found = _CORE.fullmatch(self.text)
        return int(found["core"]) if found and found["core"] else None

    @property
    def engine(self) -> str:
        """Where its engine is built for."""
        return self.kind


def core_names(count: int) -> tuple[str, ...]:
    """The placements of a module's DLA cores."""
    return CORES[:count]
