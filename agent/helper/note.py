"""What the board was set to before anything was changed: on disk before the change, gone when all of it is back."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jetfleet.blobs import sync_folder

STATE_DIR = Path("/var/lib/jetfleet-helper")
Value = tuple[str, str]


@dataclass(frozen=True)
class RestoreNote:
    """`values` are files and their contents, in the order in which they are written back; they are of the boot
    `boot_id` alone. `mode` is a power mode by name where one was set, None where none was. `gpus` are a discrete GPU's
    application clocks in MHz by PCI address: memory's and graphics'; 0 and 0 where it has none, and nothing was set.
    """

    boot_id: str
    values: tuple[Value, ...] = ()
    mode: str | None = None
    gpus: tuple[tuple[str, int, int], ...] = ()


class NoteFile:
    """The note in the helper's own folder, which only root may enter."""

    def __init__(self, folder: Path = STATE_DIR, *, step: Callable[[str], None] = lambda name: None) -> None:
        self._folder, self._step = folder, step
        self._path = folder / "restore.json"

    def load(self) -> RestoreNote | None:
        """None where there is none. Raises ValueError for one that cannot be read, which only a disk can have done."""
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return None
        return _parse(json.loads(text))

    def save(self, note: RestoreNote) -> None:
        """After this it survives a power cut."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        with part.open("w") as file:
            file.write(json.dumps(asdict(note)))
            self._step("note written")
            file.flush()
            os.fsync(file.fileno())
        self._step("note synced")
        part.replace(self._path)
        self._step("note in place")
        sync_folder(self._folder)
        self._step("note saved")

    def drop(self) -> None:
        self._path.unlink(missing_ok=True)
        self._step("note gone")
        sync_folder(self._folder)

    def set_aside(self) -> Path:
        """A note that nobody can read is kept for people, and in nobody's way."""
        aside = self._path.with_suffix(".damaged")
        self._path.replace(aside)
        return aside


def _parse(fields: Any) -> RestoreNote:
    try:
        values = tuple((str(name), str(text)) for name, text in fields["values"])
        gpus = tuple((str(address), int(memory), int(graphics)) for address, memory, graphics in fields["gpus"])
        mode = fields["mode"]
        return RestoreNote(str(fields["boot_id"]), values, mode if mode is None else str(mode), gpus)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a restore note: {error}") from None
