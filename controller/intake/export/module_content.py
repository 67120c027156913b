"""All that decides how a module answers, as one digest: tensors, arrays and plain values, wherever they are kept.

Not only parameters and buffers: anchors in a plain attribute, numbers in a list, the fields of a configuration, what
the user's own modules and classes hold beside their code (which is known by its sources).
"""

import contextlib
import enum
import hashlib
import logging
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

# What torch keeps in a module for itself: its tensors and submodules are named otherwise, its hooks are code.
_TORCHS_OWN = frozenset(vars(torch.nn.Module()))
_PLAIN = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    torch.dtype,
    torch.device,
    torch.Size,
    enum.Enum,
    np.generic,
)
_CODE = (logging.Logger, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)
_DEEPEST = 20


class ContentDigest:
    def __init__(self) -> None:
        self._found = hashlib.sha256()
        self._seen: dict[int, object] = {}  # held, so that no other object gets the same id

    def hexdigest(self) -> str:
        return self._found.hexdigest()

    def module(self, module: torch.nn.Module) -> None:
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            self.value(name, tensor)
        self._seen |= {id(part): part for part in module.modules()}
        for name, part in module.named_modules():
            kind = type(part)
            self._say(f"{name} {kind.__module__}.{kind.__qualname__} {part.extra_repr()}")
            own = {key: value for key, value in vars(part).items() if key not in _TORCHS_OWN}
            self._mapping(name, own)

    def values_of(self, name: str, space: Mapping[str, object]) -> None:
        """Of a module or class: its data, not its functions, classes, imports and what Python puts there."""
        data = {key: value for key, value in space.items() if not key.startswith("__") and _is_data(value)}
        self._mapping(name, data)

    def value(self, name: str, value: object, depth: int = 0) -> None:
        if isinstance(value, torch.Tensor | np.ndarray):
            self._array(name, value)
        elif isinstance(value, _PLAIN):
            self._say(f"{name} {type(value).__name__} {value!r}")
        elif depth > _DEEPEST or id(value) in self._seen:
            self._say(f"{name} again")
        elif isinstance(value, torch.nn.Module):  # one that is kept where torch does not see it, as in a list
            self.module(value)
        else:
            self._seen[id(value)] = value
            with contextlib.suppress(Exception):  # of objects that do not want to be looked at
                self._inside(name, value, depth + 1)

    def _inside(self, name: str, value: object, depth: int) -> None:
        if isinstance(value, dict):
            self._mapping(name, dict(dict.items(value)), depth)  # as it is kept: some load what they are asked for
        elif isinstance(value, list | tuple):
            self._say(f"{name} {type(value).__name__} {len(value)}")
            for index, item in enumerate(value):
                self.value(f"{name}.{index}", item, depth)
        elif isinstance(value, set | frozenset):
            self._say(f"{name} set {sorted(map(repr, value))}")
        elif isinstance(value, types.FunctionType):
            self._function(name, value, depth)
        elif isinstance(value, _CODE):
            self._say(f"{name} {getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}")
        else:
            kind = type(value)
            self._say(f"{name} {kind.__module__}.{kind.__qualname__}")
            self._mapping(name, getattr(value, "__dict__", {}), depth)

    def _function(self, name: str, function: types.FunctionType, depth: int) -> None:
        """What it was made with: the code itself is known by its source."""
        self._say(f"{name} {function.__module__}.{function.__qualname__} {function.__code__.co_code.hex()}")
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        self.value(f"{name} closure", [*cells, function.__defaults__, function.__kwdefaults__], depth)

    def _mapping(self, name: str, value: Mapping[Any, object], depth: int = 0) -> None:
        self._say(f"{name} {len(value)}")
        for key in sorted(value, key=repr):
            self.value(f"{name}.{key!r}", value[key], depth)

    def _array(self, name: str, value: "torch.Tensor | np.ndarray[Any, Any]") -> None:
        self._say(f"{name} {value.dtype} {list(value.shape)}")
        if isinstance(value, np.ndarray):
            plain = not value.dtype.hasobject
            self._found.update(np.ascontiguousarray(value).tobytes() if plain else repr(value.tolist()).encode())
        elif value.is_sparse or value.is_quantized or value.device.type == "meta":
            self._say(repr(value))
        else:
            self._found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())

    def _say(self, text: str) -> None:
        self._found.update(f"{text}\n".encode())


def content_digest(module: torch.nn.Module, user_modules: Iterable[str]) -> str:
    """Of a module's tree, of the classes in it, and of the data that the user's own Python modules hold."""
    found = ContentDigest()
    found.module(module)
    for name in sorted(user_modules):
        space = vars(sys.modules[name]) if name in sys.modules else {}
        found.values_of(name, space)
        for key, kind in sorted(space.items()):
            if isinstance(kind, type) and kind.__module__ == name:
                found.values_of(f"{name}.{key}", vars(kind))
    return found.hexdigest()


def _is_data(value: object) -> bool:
    return isinstance(value, (torch.Tensor, np.ndarray, list, tuple, dict, set, frozenset, *_PLAIN))


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
