"""What comes out of a decision: a winner per device class, why the others are not, and what a DLA is good for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from controller.model.result import Estimate, Provenance


@dataclass(frozen=True)
class Constraint:
    """A bound on a quantity of model.quantities: at most, or at least where more is better."""

    quantity: str
    limit: float


@dataclass(frozen=True)
class Goals:
    """What a winner must keep, and what it is best at."""

    objective: str
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True)
class Configuration:
    """A variant with its options under one power mode and one setting of the clocks, on all boards of a class that
    measured it.

    An estimate is that of the worst board: a fleet is as fast as its slowest one. What nobody measured is absent.
    """

    model_name: str
    variant_key: str
    placement: str
    power_mode: str  # empty: no such thing there, or unknown
    clocks: str  # of the GPU: `locked at 918 MHz`; empty: free, unknown, or no such clock
    options: str  # `latency_ms 2`: in which it differs from others that are called the same; empty: in none
    boards: tuple[str, ...]
    measurement_ids: tuple[int, ...]
    engine_keys: tuple[str, ...]
    estimates: Mapping[str, Estimate]

    @property
    def label(self) -> str:
        """`tensorrt-fp16-b1-gpu (tf32 on) in 15W, locked at 918 MHz`."""
        return f"{self.variant} in {self.setting}" if self.setting else self.variant

    @property
    def variant(self) -> str:
        """Its key, and the options that set it apart from another of that key."""
        return f"{self.variant_key} ({self.options})" if self.options else self.variant_key

    @property
    def setting(self) -> str:
        """How the board was set; empty: as it was found."""
        return ", ".join(part for part in (self.power_mode, self.clocks) if part)

    def estimate(self, quantity: str) -> Estimate:
        return self.estimates.get(quantity) or Estimate(None, reason="not measured")


class Bound(Enum):
    """How an estimate stands to a constraint."""

    MET = "MET"  # with its whole interval
    NOT_MET = "NOT_MET"  # with its value
    NOT_SHOWN = "NOT_SHOWN"  # the value is within, the interval is not, or there is none
    UNKNOWN = "UNKNOWN"  # there is no value


@dataclass(frozen=True)
class Held:
    """A configuration held against one constraint. `excess` is by how much of the limit it is missed; None: unknown."""

    constraint: Constraint
    bound: Bound
    estimate: Estimate
    excess: float | None
    reason: str


@dataclass(frozen=True)
class Rejected:
    configuration: Configuration
    failed: tuple[Held, ...]


@dataclass(frozen=True)
class RunnerUp:
    """One that keeps every constraint and is worse. `behind`: objective over the winner's, above 1 is worse."""

    configuration: Configuration
    behind: Estimate


class Compatibility(Enum):
    """Whether the operators of a model run on a DLA."""

    FULL = "FULL"
    PARTLY = "PARTLY"
    IMPOSSIBLE = "IMPOSSIBLE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class DlaFinding:
    """Whether a DLA pays for one variant that asks for it: compatible, and better under the constraints.

    `evidence` tells each part of the rule in words, whichever way it went.
    """

    variant_key: str
    compatibility: Compatibility
    use: bool | None  # None: cannot be told
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class NotValid:
    """A row that was left out, because its verdict says so."""

    measurement_id: int
    label: str
    device: str
    verdict: str


@dataclass(frozen=True)
class ClassRecommendation:
    """One device class. No winner: `reason` says why. Several: they cannot be told apart, the first is the pick."""

    device_class: str
    provenance: Provenance
    boards: tuple[str, ...]
    winners: tuple[Configuration, ...]
    margin: Estimate | None  # the first runner-up's objective over the winner's; above 1 is worse
    reason: str
    runners_up: tuple[RunnerUp, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    pareto: tuple[Configuration, ...] = ()
    pareto_axes: tuple[str, ...] = ()
    cheapest_mode: Configuration | None = None
    dla: tuple[DlaFinding, ...] = ()
    not_valid: tuple[NotValid, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecommendationReport:
    goals: Goals
    classes: tuple[ClassRecommendation, ...] = field(default_factory=tuple)
