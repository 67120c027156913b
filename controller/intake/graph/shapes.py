"""Every dimension of every input: from the graph, from job.yaml, or an error with the line to add. Pure.

The batch dimension is, in this order: where job.yaml writes `batch`; any dimension that shares its name with such a
one; the first dimension of an input where the graph leaves it open (named, unnamed, or "-1"), as long as all such
first dimensions could be the same number. A graph without one has the batch size that its inputs' first dimensions
agree on, or none at all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from controller.intake.jobfile.inputs import Axes, Dim, DimValues, Input, InputRequest
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.suggest import nearest
from controller.intake.jobfile.yaml import Steps, quoted

# A name, or None for a dimension that is open and has no name.
GraphDim: TypeAlias = int | str | None

_BATCH: Dim = "batch"
_OPEN = "open "  # before the name of a dimension that is not settled, which might itself be `batch`
# Names that exporters give to the batch dimension wherever it stands.
_BATCH_NAMES = frozenset({"batch", "batch_size", "batchsize", "bs"})


@dataclass(frozen=True)
class GraphInput:
    """An input as the graph declares it."""

    name: str
    dtype: str
    dims: tuple[GraphDim, ...]


@dataclass(frozen=True)
class Signature:
    """All inputs, resolved. `batch`: the only size that a fixed graph takes; None: any size, or no batch at all."""

    inputs: tuple[Input, ...]
    dynamic: bool
    fixed_batch: int | None

    @property
    def own_batch(self) -> int:
        return self.fixed_batch or 1


def resolve(graph: Sequence[GraphInput], requests: Mapping[str, InputRequest]) -> Signature:
    """Raises ModelError, which names the input, the dimension and the YAML that settles it."""
    _refuse_unknown(graph, requests)
    bound: dict[str, Dim] = {}
    for item in graph:
        _bind(item, requests.get(item.name, InputRequest()), bound)
    leading = _leading_names(graph, requests, bound)
    renamed = _renamed(graph, requests)
    found: list[Input] = []
    open_inputs: dict[str, tuple[GraphDim, ...]] = {}
    for item in graph:
        wanted = requests.get(item.name, InputRequest())
        dims: tuple[GraphDim, ...] = wanted.shape if wanted.shape is not None else _settle(item, bound, leading)
        settled = _all_settled(dims)
        if settled is None:
            open_inputs[item.name] = dims
        else:
            found.append(
                Input(item.name, item.dtype, settled, wanted.values, _left_open(item, settled, wanted.axes, renamed))
            )
    if open_inputs:
        raise _unresolved(open_inputs, requests, {item.name: item.dims for item in graph})
    return signature(found)


def _all_settled(dims: Sequence[GraphDim]) -> tuple[Dim, ...] | None:
    """Sizes and the batch; None where any dimension is still open."""
    known = [dim for dim in dims if isinstance(dim, int) or dim == "batch"]
    if len(known) < len(dims):
        return None
    return tuple(dim if isinstance(dim, int) else _BATCH for dim in known)


def _renamed(graph: Sequence[GraphInput], requests: Mapping[str, InputRequest]) -> dict[GraphDim, str]:
    """What job.yaml calls a dimension that has a name in the graph: inputs of which it says nothing share it."""
    return {
        item.dims[index]: name
        for item in graph
        for index, name in requests.get(item.name, InputRequest()).axes
        if isinstance(item.dims[index], str)
    }


def _left_open(item: GraphInput, settled: Sequence[Dim], own: Axes, renamed: Mapping[GraphDim, str]) -> Axes:
    """Dimensions that have a size here, and any size in the graph; by job.yaml's name where it gives one."""
    names = dict(own)
    return tuple(
        (index, names.get(index) or renamed.get(dim) or (dim if isinstance(dim, str) else f"dim_{index}"))
        for index, dim in enumerate(item.dims)
        if not isinstance(dim, int) and settled[index] != "batch"
    )


def signature(inputs: Iterable[Input]) -> Signature:
    """What the batch is, once every dimension is settled."""
    found = tuple(inputs)
    if any("batch" in item.dims for item in found):
        return Signature(found, dynamic=True, fixed_batch=None)
    first = {item.dims[0] for item in found if item.dims}
    only = first.pop() if len(first) == 1 else None
    return Signature(found, dynamic=False, fixed_batch=only if isinstance(only, int) else None)


def refused_batches(found: Signature, named: Iterable[tuple[int, Steps]]) -> dict[int, ModelError]:
    """The batch sizes asked for that the graph cannot take, each with why."""
    refused: dict[int, ModelError] = {}
    for batch, steps in named:
        if not found.dynamic and batch != found.own_batch:
            refused.setdefault(batch, _refused_batch(found, batch, steps))
    return refused


def _refused_batch(found: Signature, batch: int, steps: Steps) -> ModelError:
    if found.fixed_batch is None:
        return ModelError(
            f"batch {batch} is asked for, but no input has a batch dimension", steps=steps, expected="no batch axis"
        )
    first = next(item for item in found.inputs if item.dims)
    return ModelError(
        f"batch {batch} is asked for, but the batch is fixed at {found.fixed_batch}",
        steps=steps,
        expected=f"batch: [{found.fixed_batch}]",
        hint=f"export the model with a dynamic first dimension of {first.name!r}, or remove the batch axis",
    )


def check_dims(found: Signature, sizes: Iterable[DimValues], requests: Mapping[str, InputRequest]) -> None:
    """Raises ModelError if a dimension that is an axis has one size in the graph."""
    wanted = {name for values in sizes for name, _ in values}
    for item in found.inputs:
        for index, name in requests.get(item.name, InputRequest()).axes:
            if name in wanted and (index, name) not in item.axes:
                raise ModelError(
                    f"dimension {index} ({name}) of input {item.name!r} is fixed at {item.dims[index]} in the graph",
                    steps=("variants", "dims", name),
                    expected=f"{name}: [{item.dims[index]}]",
                    hint="export the model with this dimension open, or remove the axis",
                )


def _refuse_unknown(graph: Sequence[GraphInput], requests: Mapping[str, InputRequest]) -> None:
    names = [item.name for item in graph]
    for name in requests:
        if name not in names:
            expected = ", ".join(names) or "no inputs"
            raise ModelError(
                f"the model has no input {name!r}",
                steps=("model", "inputs", name),
                expected=expected,
                hint=nearest(name, names),
            )


def _bind(item: GraphInput, wanted: InputRequest, bound: dict[str, Dim]) -> None:
    """Holds what job.yaml says of an input against the graph, and learns what its named dimensions are."""
    steps: Steps = ("model", "inputs", item.name)
    if wanted.dtype is not None and wanted.dtype != item.dtype:
        message = f"input {item.name!r} is {item.dtype}, not {wanted.dtype}"
        raise ModelError(message, steps=(*steps, "dtype"), expected=item.dtype)
    if wanted.shape is None:
        return
    if len(wanted.shape) != len(item.dims):
        raise ModelError(
            f"input {item.name!r} has {len(item.dims)} dimensions, not {len(wanted.shape)}",
            steps=(*steps, "shape"),
            expected=f"a shape that fits {_listed(item.dims)}",
        )
    for index, (dim, size) in enumerate(zip(item.dims, wanted.shape, strict=True)):
        known = bound.setdefault(dim, size) if isinstance(dim, str) else dim
        if known is not None and known != size:
            raise ModelError(
                f"dimension {index} of input {item.name!r} is {known}, not {size}",
                steps=(*steps, "shape", index),
                expected=str(known),
                hint=_shared(dim, known),
            )


def _shared(dim: GraphDim, size: Dim) -> str:
    return f"the graph names it {dim!r}, as it does another one that is {size}" if isinstance(dim, str) else ""


def _leading_names(
    graph: Sequence[GraphInput], requests: Mapping[str, InputRequest], bound: Mapping[str, Dim]
) -> frozenset[str]:
    """Names of open first dimensions that stand for the batch: those bound to it, else the first one met."""
    batch_names = {name for name, size in bound.items() if size == "batch"}
    free = [
        item.dims[0]
        for item in graph
        if item.dims
        and isinstance(item.dims[0], str)
        and item.dims[0] not in bound
        and _requested_shape(requests, item) is None
    ]
    usual = {name for item in graph for name in item.dims if isinstance(name, str) and name.lower() in _BATCH_NAMES}
    return frozenset(batch_names | (set() if batch_names else set(free[:1])) | (usual - set(bound)))


def _requested_shape(requests: Mapping[str, InputRequest], item: GraphInput) -> tuple[Dim, ...] | None:
    return requests.get(item.name, InputRequest()).shape


def _settle(item: GraphInput, bound: Mapping[str, Dim], leading: frozenset[str]) -> tuple[GraphDim, ...]:
    found = [_settle_named(dim, bound, leading) if isinstance(dim, str) else dim for dim in item.dims]
    if found and found[0] is None:
        found[0] = _BATCH
    return tuple(found)


def _settle_named(name: str, bound: Mapping[str, Dim], leading: frozenset[str]) -> GraphDim:
    return _BATCH if name in leading else bound.get(name, f"{_OPEN}{name}")


class Unresolved(ModelError):
    """Dimensions that nobody has settled. `dims` holds all those of each open input, as far as they are known."""

    def __init__(
        self, dims: Mapping[str, tuple[GraphDim, ...]], requests: Mapping[str, InputRequest], where: str
    ) -> None:
        name = next(iter(dims))
        steps: Steps = (
            ("model", "inputs", name) if name in requests else ("model", "inputs") if requests else ("model",)
        )
        super().__init__(f"{where} has no size: the graph leaves it open", steps=steps)
        self.dims, self.requests = dims, requests

    def advise(self, shapes: Mapping[str, tuple[Dim, ...]], *, tried: bool) -> "Unresolved":
        """The same error with the lines of YAML that settle it."""
        first = next(iter(shapes))
        if first in self.requests:
            below, lines = first, [f"      shape: {_listed(shapes[first])}"]
        else:
            new = [name for name in shapes if name not in self.requests]
            below, lines = ("inputs", []) if self.requests else ("model", ["  inputs:"])
            lines += [f"    {quoted(name)}: {{shape: {_listed(shapes[name])}}}" for name in new]
        said = "the model runs with these sizes" if tried else "sizes are a guess"
        self.expected = "a size for each of " + "; ".join(f"{name} {_listed(dims)}" for name, dims in self.dims.items())
        self.hint = "\n".join([f"below `{below}:` add ({said}; put your own)", *lines])
        return self


def _unresolved(
    inputs: Mapping[str, tuple[GraphDim, ...]],
    requests: Mapping[str, InputRequest],
    declared: Mapping[str, Sequence[GraphDim]],
) -> Unresolved:
    name, dims = next(iter(inputs.items()))
    index = next(index for index, dim in enumerate(dims) if not isinstance(dim, int) and dim != "batch")
    named = declared[name][index]
    called = f" ({named})" if isinstance(named, str) else ""
    return Unresolved(inputs, requests, f"dimension {index}{called} of input {name!r}")


def guesses(dims: Mapping[str, tuple[GraphDim, ...]]) -> Iterator[dict[str, tuple[Dim, ...]]]:
    """Shapes worth a try, the likeliest first: one size for all that is open, or the batch inside later inputs."""
    first = 224 if len(next(iter(dims.values()))) == 4 else 128
    for size in (first, 512, 256, 576, 64, 32, 16, 1):
        yield {name: _filled(each, size) for name, each in dims.items()}
        if len(dims) > 1:
            yield {
                name: _filled(each, size if index == 0 else _BATCH) for index, (name, each) in enumerate(dims.items())
            }


def _filled(dims: Sequence[GraphDim], size: Dim) -> tuple[Dim, ...]:
    return tuple(dim if isinstance(dim, int) else _BATCH if dim == "batch" else size for dim in dims)


def _listed(dims: Iterable[GraphDim]) -> str:
    return f"[{', '.join('?' if dim is None else str(dim).removeprefix(_OPEN) for dim in dims)}]"
