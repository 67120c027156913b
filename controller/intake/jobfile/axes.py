"""A shape as job.yaml writes it: numbers, `batch`, and `NAME=SIZE` for a dimension that an export leaves open. Pure."""

from collections.abc import Sequence
from typing import cast

from controller.intake.exchange import Asked, Axes, Dim
from controller.intake.jobfile.schema import Tensor


def asked(item: Tensor) -> Asked:
    """What one entry of model.inputs says: every dimension by its size, and the open ones by name beside them."""
    if item.shape is None:
        return Asked(None, item.dtype, item.values)
    return Asked(tuple(map(_size, item.shape)), item.dtype, item.values, _axes(item.shape))


def _size(dim: int | str) -> Dim:
    return cast(Dim, int(dim.partition("=")[2]) if isinstance(dim, str) and "=" in dim else dim)


def _axes(shape: Sequence[int | str]) -> Axes:
    return tuple(
        (index, dim.partition("=")[0]) for index, dim in enumerate(shape) if isinstance(dim, str) and "=" in dim
    )
