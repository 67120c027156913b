"""Rows by the class of their board, and which of them speak there: one pass, for there may be a million. Pure.

Of repeats (one thing on one board, in one mode) the newest VALID one speaks; the rest of the VALID ones is put aside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from controller.model.circumstances import HARDWARE
from controller.model.facts import Facts, shown
from controller.model.job import Mode
from controller.model.result import VALID, Provenance, Row, Schedule
from jetfleet.board_settings import POWER_MODE
from jetfleet.circumstances import GPU_CLOCKS, LOCKED, UNKNOWN

_RELEASES = ("l4t", "jetpack")

Options: TypeAlias = tuple[tuple[str, str], ...]
# Model, variant, power mode, clock and options, which a key names only where they are axes: what is one configuration.
Name: TypeAlias = tuple[str, str, str, str, Options]
# Where repeats are of: a configuration, a board, a mode, and which part of its task; as plain as the row has them.
Place: TypeAlias = tuple[str, str, str, str, Options, str, Mode, int | None, bool]
# Found once, for a million rows: looking a member up takes longer than all else that is done to a row.
_MEASURED, _ALONE, _INTERLEAVED = Provenance.MEASURED, Schedule.ALONE, Schedule.INTERLEAVED


@dataclass(frozen=True)
class ClassKey:
    """Boards of one kind under one release. Numbers of different provenance never meet."""

    provenance: Provenance
    hardware: tuple[str, ...]
    releases: tuple[str, ...]

    @property
    def label(self) -> str:
        return _label(dict(zip(HARDWARE, self.hardware, strict=True)), self.releases)


def class_label(facts: Facts) -> str:
    """What the class of a board with these facts is called."""
    hardware = {name: shown(facts.get(name)) for name in HARDWARE}
    return _label(hardware, tuple(shown(facts.get(name)) for name in _RELEASES))


def _label(facts: Mapping[str, str], releases: tuple[str, ...]) -> str:
    names = [facts.get(name, "unknown") for name in ("sku", "module", "gpu", "cpu_model", "arch")]
    name = next((text for text in names if text != "unknown"), "unknown board")
    known = [text for text in releases if text != "unknown"]
    return f"{name}, L4T {known[0]}" if known else name


@dataclass
class ClassRows:
    """Of one class: the newest VALID row of each place, rows that are not VALID, and the boards of VALID ones that were
    timed in turns, which says only which of two is faster, and not how fast.
    """

    newest: dict[Place, Row] = field(default_factory=dict)
    not_valid: list[Row] = field(default_factory=list)
    in_turns: set[str] = field(default_factory=set)

    @property
    def boards(self) -> set[str]:
        return {row.device for row in (*self.newest.values(), *self.not_valid)} | self.in_turns

    def by_name(self) -> dict[Name, list[Row]]:
        """The rows that speak, for each configuration in the order of their names, oldest first."""
        found: dict[Name, list[Row]] = {}
        for place in sorted(self.newest, key=lambda place: (place[:5], self.newest[place].measurement_id)):
            found.setdefault(place[:5], []).append(self.newest[place])
        return found


def class_of(row: Row) -> ClassKey:
    facts = row.facts
    return ClassKey(
        row.measurement.provenance,
        tuple(shown(facts.get(name)) for name in HARDWARE),
        tuple(shown(facts.get(name)) for name in _RELEASES),
    )


def by_class(rows: Iterable[Row]) -> dict[ClassKey, ClassRows]:
    """One loop that calls little for a row, since there may be a million."""
    found: dict[ClassKey, ClassRows] = {}
    # By the identity of a snapshot, which is kept: that of one that is gone might be another's.
    snapshots: dict[tuple[int, bool], tuple[Facts, str, ClassRows]] = {}
    options: dict[int, tuple[Mapping[str, str], Options]] = {}  # rows of one variant share them
    for row in rows:
        facts, measurement = row.facts, row.measurement
        alike = (id(facts), measurement.provenance is _MEASURED)
        if alike not in snapshots:
            snapshots[alike] = (facts, _power_mode(facts), found.setdefault(class_of(row), ClassRows()))
        _, power_mode, here = snapshots[alike]
        if measurement.verdict != VALID:
            here.not_valid.append(row)
        elif row.schedule is _INTERLEAVED:
            here.in_turns.add(row.device)
        else:
            mode, clock = _set_as(measurement.circumstances, power_mode)
            chosen = _options_of(row, options)
            subject, is_alone = measurement.subject_index, row.schedule is _ALONE
            place = (row.model_name, row.variant_key, mode, clock, chosen, row.device, row.mode, subject, is_alone)
            if here.newest.setdefault(place, row).measurement_id < row.measurement_id:
                here.newest[place] = row
    return found


def _options_of(row: Row, known: dict[int, tuple[Mapping[str, str], Options]]) -> Options:
    """By the identity of the mapping, which is kept, as snapshots are."""
    found = known.get(id(row.options))
    if found is None:
        found = known[id(row.options)] = (row.options, tuple(sorted(row.options.items())))
    return found[1]


def _set_as(said: Mapping[str, str], power_mode: str) -> tuple[str, str]:
    """The power mode that was in force, or else the snapshot's; and the GPU's clock, where it was locked."""
    if not said:
        return power_mode, ""
    mode, clock = said.get(POWER_MODE, power_mode), said.get(GPU_CLOCKS, "")
    return "" if mode == UNKNOWN else mode, clock if clock.startswith(LOCKED) else ""


def _power_mode(facts: Facts) -> str:
    text = shown(facts.get("power_mode"))
    return "" if text == UNKNOWN else text
