"""What forward() returns, as tensors under names: dicts, tuples, dataclasses and named tuples, in any depth.

A name is the way to the tensor: the key or field, and below it the index (`hidden_states.0`). A single tensor is
`output`, and those of a plain tuple or list are `output.0`, `output.1`. These names are the graph's, too.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass

import torch

from controller.intake.jobfile.model_error import ModelError

_NUMBERS = (bool, int, float, str, torch.SymInt, torch.SymFloat, torch.SymBool)


def flatten(
    found: object, *, taken: Collection[str] = (), tell: Callable[[str], None] = lambda _: None
) -> dict[str, torch.Tensor]:
    """Every tensor by name; a name of `taken`, the inputs, is not used again. Raises ModelError."""
    tensors: dict[str, torch.Tensor] = {}
    for path, leaf in _leaves(found, ()):
        name = _name(path)
        if isinstance(leaf, torch.Tensor):
            while name in taken or name in tensors:
                name += ".out"
            tensors[name] = leaf
        elif isinstance(leaf, _NUMBERS):
            tell(f"note: forward() returns a {type(leaf).__name__} as {name!r}, which is not a tensor and is left out")
        elif leaf is not None:
            raise ModelError(
                f"forward() returns a {type(leaf).__name__} as {name!r}",
                steps=("model", "torch"),
                expected="tensors, in tuples, lists, dicts, named tuples and dataclasses",
                hint="return a module that calls yours and picks the tensors; for a cache of a language model, "
                "switch it off (use_cache=False)",
            )
    if not tensors:
        raise ModelError("forward() returns no tensor", steps=("model", "torch"), expected="at least one")
    return tensors


def _leaves(found: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    children = _children(found)
    if children is None:
        yield path, found
    else:
        for key, child in children:
            yield from _leaves(child, (*path, key))


def _children(found: object) -> list[tuple[str, object]] | None:
    """What a container holds, by name; None for anything else."""
    if isinstance(found, Mapping):
        return [(str(key), value) for key, value in found.items()]
    if is_dataclass(found) and not isinstance(found, type):
        return [(field.name, getattr(found, field.name)) for field in fields(found)]
    if isinstance(found, tuple | list):
        names = getattr(found, "_fields", None) or map(str, range(len(found)))
        return list(zip(names, found, strict=True))
    return None


def _name(path: tuple[str, ...]) -> str:
    return ".".join(path if path and not path[0].isdigit() else ("output", *path))
