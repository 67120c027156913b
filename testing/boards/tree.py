"""A file tree in memory, to be changed by a test and then written: contents, empty folders and links."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SymbolicLink:
    """A symbolic link; `target` is relative to the folder that the link lies in."""

    target: str


@dataclass
class Tree:
    """`files` maps a path to its content; None is an empty folder."""

    files: dict[str, str | bytes | SymbolicLink | None] = field(default_factory=dict)

    def put(self, files: Mapping[str, str | bytes | SymbolicLink | None], under: str = "") -> "Tree":
        self.files.update({f"{under}{name}": content for name, content in files.items()})
        return self

    def drop(self, *prefixes: str) -> "Tree":
        """Takes out every path that begins so. Fails for a prefix that takes out nothing: it would test nothing."""
        for prefix in prefixes:
            gone = [name for name in self.files if name.startswith(prefix)]
            assert gone, f"nothing in the tree begins with {prefix}"
            for name in gone:
                del self.files[name]
        return self

    def write(self, root: Path) -> Path:
        for name, content in self.files.items():
            path = root / name
            (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
            if isinstance(content, SymbolicLink):
                path.symlink_to(content.target)
            elif content is not None:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root
