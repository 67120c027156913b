"""The board as a BENCH wants it: set by the helper before the first child, looked at again after the last, put back.

What was in force is a circumstance of the measurement, whether somebody asked for it or not. What is asked for and not
in force is not measured.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.device.nvpmodel import read_power_modes
from agent.helper.client import SOCKET, ask
from jetfleet.board_settings import CPU, GPU, LOCKED, POWER_MODE
from jetfleet.errors import Infrastructure
from jetfleet.placement import Placement
from jetfleet.v1.task_pb2 import (
    FAILURE_KIND_SETTINGS_REFUSED,
    FLAG_KIND_CLOCK_DRIFT,
    Facts,
    Failure,
    Flag,
    Outcome,
    TaskSpec,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WantedSettings:
    """What a task asks for. `clocks` are the kinds that must be locked."""

    power_mode: str = ""
    clocks: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.power_mode or self.clocks)


@dataclass(frozen=True)
class BoardState:
    """What is in force: a mode by name, empty where it is not known, and the kinds of clocks that are locked."""

    power_mode: str = ""
    locked: frozenset[str] = frozenset()
    lockable: frozenset[str] = frozenset()

    def fault(self, wanted: WantedSettings) -> str:
        """What is asked for and not in force; empty where all is. A GPU that only its driver sets is not seen here."""
        if wanted.power_mode and self.power_mode != wanted.power_mode:
            return f"power mode {self.power_mode or 'unknown'} is in force, not {wanted.power_mode}"
        loose = sorted((wanted.clocks & self.lockable) - self.locked)
        return f"the {loose[0]} clock is not locked" if loose else ""


class SettingsRefused(Exception):
    """The board is not as the task asks for; the text says why."""


class BoardSettings:
    """One board, by its helper. A simulated board has none, and is as it is asked to be."""

    def __init__(self, facts: Facts, *, helper: Path = SOCKET, root: Path = Path("/")) -> None:
        self._is_simulated = facts.simulated
        self._helper, self._root = helper, root
        self._left = ""  # what could not be put back after a task

    def add_facts(self, facts: Facts) -> None:
        """What the helper can set, where there is one. Asks it."""
        if self._is_simulated or not self._helper.exists():
            return
        try:
            answer = ask("read-mode", path=self._helper)
        except Infrastructure as error:
            _log.warning("%s", error.message)
            return
        names = [name for _, name in answer.get("modes", [])]
        for field, values in (
            (facts.power_modes, list(facts.power_modes) or names),  # a container may not see the configuration
            (facts.settable_power_modes, answer.get("settable", [])),
            (facts.lockable_clocks, answer.get("lockable", [])),
        ):
            del field[:]
            field.extend(values)
        if not facts.HasField("power_mode") and answer.get("mode"):
            facts.power_mode = answer["mode"]

    async def under(self, spec: TaskSpec, run: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of `run` with the board as the task wants it. Raises Infrastructure where no helper answers, and
        while the board is not as it was before an earlier task.
        """
        wanted = wanted_settings(spec)
        if self._is_simulated or not spec.HasField("bench"):
            return _label(await run(), wanted.power_mode)
        if self._left:
            await self._restore()
        if self._left:
            hint = "sudo systemctl restart jetfleet-helper; its log says what it cannot set"
            raise Infrastructure(f"the board is not as it was before an earlier task: {self._left}", hint=hint)
        try:
            if wanted:
                await asyncio.to_thread(self._set, wanted)
            return await self._look_around(wanted, run)
        except SettingsRefused as error:
            failure = Failure(kind=FAILURE_KIND_SETTINGS_REFUSED, message=str(error), phase="settings")
            return Outcome(failure=failure)
        finally:
            if wanted:
                await asyncio.shield(self._restore())

    async def _restore(self) -> None:
        self._left = await asyncio.to_thread(restore_board, self._helper)

    async def _look_around(self, wanted: WantedSettings, run: Callable[[], Awaitable[Outcome]]) -> Outcome:
        before = await asyncio.to_thread(self._read)
        if fault := before.fault(wanted):
            raise SettingsRefused(f"it was set, but {fault}")
        outcome = _label(await run(), before.power_mode)
        after = await asyncio.to_thread(self._read)
        fault = after.fault(wanted)
        if not fault and before.power_mode != after.power_mode:
            fault = f"power mode {after.power_mode or 'unknown'} was in force at the end, {before.power_mode} before"
        for measurement in outcome.measured.measurements if fault else ():
            measurement.flags.append(Flag(kind=FLAG_KIND_CLOCK_DRIFT, evidence=f"meanwhile {fault}"))
        return outcome

    def _read(self) -> BoardState:
        if not self._helper.exists():
            return BoardState(read_power_modes(self._root).current or "")
        answer = ask("read-mode", path=self._helper)
        return BoardState(answer["mode"], frozenset(answer["locked"]), frozenset(answer["lockable"]))

    def _set(self, wanted: WantedSettings) -> None:
        """Raises SettingsRefused, Infrastructure."""
        if wanted.power_mode:
            modes = {name: number for number, name in self._ask("read-mode")["modes"]}
            if wanted.power_mode not in modes:
                raise SettingsRefused(f"this board has no power mode {wanted.power_mode}; it has {', '.join(modes)}")
            self._ask("set-mode", mode=modes[wanted.power_mode])
        if wanted.clocks:
            loose = self._ask("lock-clocks")["not_locked"]
            for kind in sorted(wanted.clocks & set(loose)):
                raise SettingsRefused(f"the {kind} clock is not locked: {loose[kind]}")

    def _ask(self, verb: str, **arguments: int) -> dict[str, Any]:
        answer = ask(verb, path=self._helper, **arguments)
        if not answer.get("ok"):
            raise SettingsRefused(str(answer.get("error", "the helper refused it")))
        return answer


def wanted_settings(spec: TaskSpec) -> WantedSettings:
    """CPUs feed every engine; a GPU's clock matters to what runs on it, or on the DLA beside it."""
    measure = spec.bench.measure
    if measure.clocks != LOCKED:
        return WantedSettings(measure.power_mode)
    on_cpu = all(Placement(subject.placement).is_cpu for subject in spec.bench.subjects)
    return WantedSettings(measure.power_mode, frozenset({CPU} if on_cpu else {GPU}))


def restore_board(helper: Path = SOCKET) -> str:
    """Asks the helper to put back what is set, where there is a helper: at an agent's start, and after a task. Returns
    what could not be put back; a helper that does not answer now does it when it starts.
    """
    if not helper.exists():
        return ""
    try:
        answer = ask("restore", path=helper)
    except Infrastructure as error:
        _log.error("the board may not be as it was: %s", error.message)
        return ""
    if not answer.get("ok"):
        _log.warning("nothing was put back: %s", answer.get("error"))  # another agent's measurement
        return ""
    left = ", ".join(answer["left"])
    if left:
        _log.error("the board is not as it was: %s", left)
    return left


def _label(outcome: Outcome, power_mode: str) -> Outcome:
    for measurement in outcome.measured.measurements if power_mode else ():
        measurement.circumstances[POWER_MODE] = power_mode
    return outcome
