"""What `controller export --check` found, as plain data that the model child can write down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Port:
    """An input or output as the graph declares it; a name is an open dimension, None one without a name."""

    name: str
    dtype: str
    dims: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Agreement:
    """The largest absolute difference over all outputs at one batch size."""

    batch: int
    max_abs_error: float
    output: str


@dataclass(frozen=True)
class ModelReport:
    """A model that was held against its reference. `files`: the graph first, then its external data."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    opset: int
    size_bytes: int
    reference: str
    exporter: str
    cached: bool
    agreements: tuple[Agreement, ...]
    files: tuple[str, ...]
