"""What `controller export --check` found, as plain data that the model child can write down."""

from dataclasses import dataclass
from typing import Any


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
class Checked:
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


def read_checked(raw: dict[str, Any]) -> Checked:
    """From the JSON of `dataclasses.asdict`."""
    ports = {key: tuple(_port(**port) for port in raw[key]) for key in ("inputs", "outputs")}
    agreements = tuple(Agreement(**item) for item in raw["agreements"])
    return Checked(**{**raw, **ports, "agreements": agreements, "files": tuple(raw["files"])})


def _port(name: str, dtype: str, dims: list[int | str | None]) -> Port:
    return Port(name, dtype, tuple(dims))
