"""Inputs of the model: what job.yaml says of one, and one with nothing left open but the batch. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast

from controller.intake.jobfile.schema import InputSection

Dim: TypeAlias = int | Literal["batch"]
# Dimensions that have a size here and are open in the graph: index and name.
Axes: TypeAlias = tuple[tuple[int, str], ...]
# Names and sizes of the dimensions that are axes of the matrix, by name.
DimValues: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, order=True)
class RunSize:
    """What decides the shapes of a run: the batch, and the dimensions that are axes of the matrix."""

    batch: int
    dims: DimValues = ()

    def __str__(self) -> str:
        return ", ".join([f"batch {self.batch}", *(f"{name}={size}" for name, size in self.dims)])


@dataclass(frozen=True)
class InputRequest:
    """What job.yaml says of one input; None: nothing."""

    shape: tuple[Dim, ...] | None = None
    dtype: str | None = None
    values: str | None = None
    axes: Axes = ()


@dataclass(frozen=True)
class Input:
    """An input of the model with nothing left open but the batch size."""

    name: str
    dtype: str
    dims: tuple[Dim, ...]
    values: str | None = None
    axes: Axes = ()
    stand_in: str = ""  # what it is filled with where `values` is None and no data is given; empty: by its name

    def shape(self, batch: int) -> tuple[int, ...]:
        return tuple(batch if dim == "batch" else dim for dim in self.dims)

    def sized(self, dims: DimValues) -> "Input":
        """The input with other sizes of its named dimensions."""
        sizes, names = dict(dims), dict(self.axes)
        found = tuple(sizes.get(names.get(index, ""), dim) for index, dim in enumerate(self.dims))
        return replace(self, dims=found)

    @property
    def open(self) -> dict[int, str]:
        """Dimensions that the graph leaves open, by name."""
        return {index: "batch" for index, dim in enumerate(self.dims) if dim == "batch"} | dict(self.axes)


def input_request(section: InputSection) -> InputRequest:
    """One entry of model.inputs: every dimension by its size, and the open ones (NAME=SIZE) by name beside them."""
    if section.shape is None:
        return InputRequest(None, section.dtype, section.values)
    return InputRequest(tuple(map(_size, section.shape)), section.dtype, section.values, _axes(section.shape))


def _size(dim: int | str) -> Dim:
    return cast(Dim, int(dim.partition("=")[2]) if isinstance(dim, str) and "=" in dim else dim)


def _axes(shape: Sequence[int | str]) -> Axes:
    return tuple(
        (index, dim.partition("=")[0]) for index, dim in enumerate(shape) if isinstance(dim, str) and "=" in dim
    )
