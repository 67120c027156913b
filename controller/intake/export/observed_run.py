"""One run of a module, watched: which inputs are indices of which tables, and which operator draws random numbers."""

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from controller.intake.export import user_code

_ATEN = torch.ops.aten


class ObservedRun:
    """`rows`: by input, of the smallest table it indexes; `random`: the first random operator; `line`: of the user."""

    def __init__(self, inputs: Mapping[str, torch.Tensor]) -> None:
        self.rows: dict[str, int] = {}
        self.random, self.line = "", ""
        self._inputs = dict(inputs)  # held, so that no other tensor gets their storage
        self._names = {tensor.untyped_storage().data_ptr(): name for name, tensor in inputs.items()}

    def watching(self) -> Any:
        """A context in which every operator is looked at."""

        def dispatch(
            _: object,
            func: Any,
            types: Sequence[type],
            args: Sequence[Any] = (),
            kwargs: Mapping[str, Any] | None = None,
        ) -> Any:
            self._see(func, args)
            return func(*args, **(kwargs or {}))

        return type("Watch", (TorchDispatchMode,), {"__torch_dispatch__": dispatch})()

    def _see(self, func: Any, args: Sequence[Any]) -> None:
        for index, rows in _tables(func, args):
            name = self._names.get(index.untyped_storage().data_ptr())
            if name is not None:
                self.rows[name] = min(rows, self.rows.get(name, rows))
        if not self.random and torch.Tag.nondeterministic_seeded in func.tags:
            lines = [frame for frame in traceback.extract_stack() if user_code.is_users(frame.filename)]
            self.random = str(func)
            self.line = f"{lines[-1].filename}:{lines[-1].lineno}" if lines else ""


def _tables(func: Any, args: Sequence[Any]) -> list[tuple[torch.Tensor, int]]:
    """Tensors that an operator takes as indices, and the rows of what they are indices of."""
    if func is _ATEN.embedding.default:
        return [(args[1], args[0].shape[0])]
    if func in (_ATEN.index_select.default, _ATEN.gather.default):
        return [(args[2], args[0].shape[args[1]])]
    if func is _ATEN.index.Tensor:
        pairs = zip(args[1], args[0].shape, strict=False)
        return [(index, rows) for index, rows in pairs if index is not None and index.dtype != torch.bool]
    return []
