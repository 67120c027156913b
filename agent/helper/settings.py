"""Power mode and clocks of this board: set, read back, and put back as they were, whatever is killed meanwhile.

The order is the guarantee. What there is to restore is on disk before anything changes; what is set counts only once it
was read back; the note goes only when everything is back. So whoever starts next and finds a note restores.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace

from agent.helper.board import Board
from agent.helper.clock_files import EMC_LOCK, EMC_RATE, KINDS, clock_ranges, emc_lock_hz, files_to_save
from agent.helper.gpus import GpuClocksRefused, NvmlClocks
from agent.helper.note import NoteFile, RestoreNote
from jetfleet.board_settings import CPU, EMC, GPU

log = logging.getLogger(__name__)


class SettingRefused(Exception):
    """What was asked for is not in force, and the board is as it was before; the text says why."""


class HeldSettings:
    """One board and its note."""

    def __init__(self, board: Board, notes: NoteFile, gpus: NvmlClocks) -> None:
        self._board, self._notes, self._gpus = board, notes, gpus

    @property
    def is_held(self) -> bool:
        """Whether something is set that is to be restored."""
        return self._note() is not None

    def read(self) -> dict[str, object]:
        """What is in force, and what could be set."""
        modes, locked = self._board.modes(), self._locked_kinds()
        if (by_driver := self._gpus.state()) is not None:
            locked[GPU] = by_driver
        settable = [name for number, name in modes.modes.items() if not modes.needs_reboot(number)]
        return {
            "modes": list(modes.modes.items()),
            "mode": modes.current or "",
            "settable": settable if self._board.can_set_modes() else [],
            "lockable": [kind for kind in KINDS if kind in locked],
            "locked": [kind for kind, is_locked in locked.items() if is_locked],
            "held": self.is_held,
        }

    def set_mode(self, number: int) -> str:
        """The name of the mode, which is in force now. Raises SettingRefused."""
        modes = self._board.modes()
        name = modes.modes.get(number)
        if name is None:
            known = ", ".join(f"{known} {text}" for known, text in modes.modes.items())
            raise SettingRefused(f"/etc/nvpmodel.conf has no power mode {number}; it has {known or 'none'}")
        if modes.current is None:
            raise SettingRefused("the power mode in force is not known, so that it could not be restored")
        if name == modes.current:
            return name
        if modes.needs_reboot(number):
            raise SettingRefused(
                f"power mode {name} needs a reboot: it powers other parts of the GPU than {modes.current}"
            )
        note = self._note() or self._noted(modes.current)
        self._notes.save(replace(note, mode=note.mode or modes.current))
        code, said = self._board.run_mode(number)
        in_force = self._board.modes().current
        if in_force != name or "reboot" in said.lower():
            self.restore()
            raise SettingRefused(_refusal(name, in_force, code, said))
        return name

    def lock_clocks(self) -> dict[str, str]:
        """Kinds of clocks that could not be locked, with why; the others are, at the most that the power mode allows.

        Raises SettingRefused where none can be.
        """
        before = self._note()
        self._notes.save(before or self._noted(None))
        left = dict(self._lock_each())
        if all(kind in left for kind in (CPU, GPU)):
            if before is None:
                self.restore()
            raise SettingRefused("; ".join(f"{kind}: {why}" for kind, why in left.items()))
        return left

    def restore(self) -> list[str]:
        """What could not be put back as it was; nothing where all of it is, or nothing had been changed."""
        note = self._note()
        if note is None:
            return []
        left = [] if note.mode is None else self._restore_mode(note.mode)
        if note.boot_id == self._board.boot_id:  # else the kernel has begun anew, with values of its own
            left += self._write_back(note)
            left += self._gpus.restore(note.gpus)
        if left:
            log.error("not as before: %s", ", ".join(left))
        else:
            self._notes.drop()
        return left

    def _write_back(self, note: RestoreNote) -> list[str]:
        """A memory clock's rate is a setting only where it is locked; free, it moves by itself."""
        left = self._board.write_all(note.values)
        is_free = dict(note.values).get(EMC_LOCK) == "0"
        return [name for name in left if name != EMC_RATE or not is_free]

    def _restore_mode(self, name: str) -> list[str]:
        """Set again even where nvpmodel says that it is in force: one that was killed half way says so too."""
        number = self._board.modes().id_of(name)
        if number is not None:
            self._board.run_mode(number)
        return [] if self._board.modes().current == name else [f"power mode {name}"]

    def _note(self) -> RestoreNote | None:
        try:
            return self._notes.load()
        except ValueError as error:
            log.error("what was set cannot be restored: %s; kept as %s", error, self._notes.set_aside())
            return None

    def _noted(self, mode: str | None) -> RestoreNote:
        board = self._board
        names = files_to_save(board.root, board.modes())
        values = tuple((name, board.text(name)) for name in names)
        return RestoreNote(board.boot_id, values, mode, self._gpus.read())

    def _lock_each(self) -> Iterator[tuple[str, str]]:
        """Locks what can be; yields what cannot."""
        board, absent = self._board, dict.fromkeys(KINDS, "there is none that can be set")
        for item in clock_ranges(board.root):
            most = board.text(item.high)
            board.write_all(((item.high, most), (item.low, most)))
        if (rate := emc_lock_hz(board.root)) is not None:
            board.write(EMC_RATE, str(rate))
            board.write(EMC_LOCK, "1")
        locked = self._locked_kinds()
        try:
            locked |= {GPU: True} if self._gpus.lock() else {}
        except GpuClocksRefused as error:
            absent[GPU] = str(error)
        yield from ((kind, why) for kind, why in absent.items() if kind not in locked)
        yield from ((kind, "it was set, but did not stay") for kind, is_locked in locked.items() if not is_locked)

    def _locked_kinds(self) -> dict[str, bool]:
        """Of each kind of clock that can be set, whether all of its clocks are locked."""
        board = self._board
        found: dict[str, bool] = {}
        for item in clock_ranges(board.root):
            if board.is_writable(item.low):
                is_locked = board.text(item.low) == board.text(item.high)
                found[item.kind] = found.get(item.kind, True) and is_locked
        if board.number(EMC_LOCK) is not None and board.is_writable(EMC_LOCK):
            found[EMC] = board.number(EMC_LOCK) == 1
        return found


def _refusal(name: str, in_force: str | None, code: int, said: str) -> str:
    if "reboot" in said.lower():
        return f"power mode {name} needs a reboot: nvpmodel asked for one"
    words = " ".join(said.split())[-200:]
    detail = f" (nvpmodel ended with {code}: {words or 'no word'})" if code else ""
    return f"power mode {name} was set, but {in_force or 'an unknown one'} is in force{detail}"
