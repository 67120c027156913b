"""A user's own function out of a file of the task: only where this agent allows it, and only the bytes it allows.

What it does it does as the agent's user, in the child process: docs/security.md says what that means.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from jetfleet.blobs import sha256_file
from jetfleet.errors import BadInput
from jetfleet.pipeline.callables import VARIABLE, file_of, function_of, is_allowed, read_allowed
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_CALLABLE, Artifact


class UserFunctions:
    """The functions of a task's CALLABLE files; each file is executed once."""

    def __init__(
        self,
        artifacts: Iterable[Artifact],
        locate: Callable[[Artifact], Path],
        *,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self._files = {item.name: item for item in artifacts if item.role == ARTIFACT_ROLE_CALLABLE}
        self._locate = locate
        self._allowed = read_allowed(env.get(VARIABLE, ""))
        self._modules: dict[str, ModuleType] = {}

    def find(self, reference: str) -> Callable[[Any], Any]:
        """FILE.py:FUNCTION. Raises BadInput where the agent does not allow the file, or it has no such function."""
        module = self._module(file_of(reference))
        found = getattr(module, function_of(reference), None)
        if not callable(found):
            raise BadInput(f"{file_of(reference)} has no function {function_of(reference)!r}", where=reference)

        def call(*arguments: Any) -> Any:
            try:
                return found(*arguments)
            except Exception as error:
                raise BadInput(f"it raised {type(error).__name__}: {error}", where=reference) from error

        return call

    def _module(self, name: str) -> ModuleType:
        if name in self._modules:
            return self._modules[name]
        artifact = self._files.get(name)
        if artifact is None:
            raise BadInput(f"the task brings no file {name!r}", expected=", ".join(self._files) or "a callable's file")
        path = self._locate(artifact)
        content = path.read_bytes()
        if not is_allowed(artifact.sha256, self._allowed) or sha256_file(path) != artifact.sha256:
            raise BadInput(
                f"this agent does not run {name}, which is code that the job brings",
                expected="an agent whose owner allows it",
                hint=f"`agent run --allow-callable {artifact.sha256}`, or --allow-callables for all",
            )
        module = self._modules[name] = ModuleType(Path(name).stem)
        module.__file__ = name
        try:
            exec(compile(content, name, "exec"), vars(module))
        except Exception as error:
            raise BadInput(f"it raised {type(error).__name__}: {error}", where=name) from error
        return module
