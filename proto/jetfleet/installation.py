"""What an installation does to a machine, as a list of steps: printed, or done below a root folder.

The list is made by pure functions elsewhere; nothing here knows what is installed.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jetfleet.errors import Infrastructure

Say = Callable[[str], None]


@dataclass(frozen=True)
class WriteFile:
    """`keep`: one that is there already stays as it is, for it is the operator's."""

    path: str
    content: str
    mode: int = 0o644
    keep: bool = False


@dataclass(frozen=True)
class RemovePath:
    """A file, or a folder with all that is in it; one that is not there is no mistake."""

    path: str


@dataclass(frozen=True)
class RemoveEmptyFolder:
    """A folder in which others may have put something, which stays then."""

    path: str


@dataclass(frozen=True)
class RunCommand:
    """`if_changed`: only where an earlier step of this list wrote something. `may_fail`: its failure is only said."""

    words: tuple[str, ...]
    if_changed: bool = False
    may_fail: bool = False


Step = WriteFile | RemovePath | RemoveEmptyFolder | RunCommand


def show(steps: Sequence[Step], say: Say) -> None:
    """Every file with its content, and every command, in order."""
    for step in steps:
        say(_told(step))
        if isinstance(step, WriteFile):
            for line in step.content.splitlines():
                say(f"    {line}".rstrip())


def apply(steps: Sequence[Step], *, root: Path, say: Say) -> bool:
    """Whether anything was written or removed. Commands are for the machine that runs: below another root than / they
    are said, and left to who starts that machine. Raises Infrastructure.
    """
    changed = False
    for step in steps:
        if isinstance(step, RunCommand):
            _run_or_say(step, changed=changed, is_here=root == Path("/"), say=say)
        elif _change(step, root):
            changed = True
            say(f"{'wrote' if isinstance(step, WriteFile) else 'removed'} {step.path}")
    return changed


def _told(step: Step) -> str:
    if isinstance(step, WriteFile):
        return f"write {step.path} (mode {step.mode:04o}{', unless it is there' if step.keep else ''})"
    if isinstance(step, RunCommand):
        return f"run {_text(step)}{' (if a file changed)' if step.if_changed else ''}"
    return f"remove {step.path}{' if it is empty' if isinstance(step, RemoveEmptyFolder) else ''}"


def _run_or_say(step: RunCommand, *, changed: bool, is_here: bool, say: Say) -> None:
    if not is_here:
        say(f"to be run there: {_text(step)}")
    elif changed or not step.if_changed:
        _run(step, say)


def _change(step: WriteFile | RemovePath | RemoveEmptyFolder, root: Path) -> bool:
    path = root / step.path.lstrip("/")
    try:
        if isinstance(step, WriteFile):
            return _write(path, step)
        if isinstance(step, RemoveEmptyFolder):
            return _remove_empty(path)
        return _remove(path)
    except OSError as error:
        hint = "run it with sudo" if isinstance(error, PermissionError) else ""
        raise Infrastructure(f"cannot change it: {error.strerror}", where=str(path), hint=hint) from None


def _write(path: Path, step: WriteFile) -> bool:
    if path.exists():
        present = path.read_text(errors="replace")
        if step.keep or (present == step.content and path.stat().st_mode & 0o7777 == step.mode):
            return False
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(step.content)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(step.mode)
    part.replace(path)
    return True


def _remove(path: Path) -> bool:
    if not (path.exists() or path.is_symlink()):
        return False
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return True


def _remove_empty(path: Path) -> bool:
    if not path.is_dir() or any(path.iterdir()):
        return False
    path.rmdir()
    return True


def _run(step: RunCommand, say: Say) -> None:
    say(f"$ {_text(step)}")
    try:
        code = subprocess.run(step.words, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        code = 127
    if code and not step.may_fail:
        raise Infrastructure(f"`{_text(step)}` ended with {code}", hint="its message stands above this one")
    if code:
        say(f"  ended with {code}; it goes on all the same")


def _text(step: RunCommand) -> str:
    return " ".join(step.words)
