"""Power mode and clocks of the board as axes: `variants: {power_mode: [15W, MAXN], clocks: [as-is, locked]}`. Pure.

What an axis says goes before what `measure` says for all variants. A value of a single variant may be left as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TypeAlias

from controller.intake.jobfile.schema import AxesSection, MeasureSection, VariantsSection
from controller.intake.jobfile.yaml import Document, Steps
from jetfleet.board_settings import AS_IS, SETTINGS

# Names and values, by name.
SettingValues: TypeAlias = tuple[tuple[str, str], ...]
SettingAxes: TypeAlias = Mapping[str, Sequence[str]]


def axes_of(section: VariantsSection | AxesSection) -> dict[str, list[str]]:
    """The settings that a section names, each with its values."""
    found = {name: getattr(section, name) for name in SETTINGS}
    return {name: values if isinstance(values, list) else [values] for name, values in found.items() if values}


def combinations(axes: SettingAxes) -> Iterator[SettingValues]:
    """Every combination; one that is empty where there are no such axes."""
    names = sorted(axes)
    for values in product(*(axes[name] for name in names)):
        yield tuple(zip(names, values, strict=True))


def covers(section: AxesSection, chosen: SettingValues) -> bool:
    values = dict(chosen)
    return all(values.get(name) in wanted for name, wanted in axes_of(section).items())


def check_axes(variants: VariantsSection, document: Document) -> None:
    """Raises BadInput for a dimension of an axis' name, whose sizes would not be told apart from its values."""
    for name in axes_of(variants):
        if name in variants.dims:
            message = f"{name} is an axis of the board, and a dimension has its name"
            raise document.error(("variants", "dims", name), message, expected="another name for the dimension")


def check_named(section: AxesSection, variants: VariantsSection, document: Document, steps: Steps) -> None:
    """Raises BadInput where exclude or include names what is not an axis."""
    axes = axes_of(variants)
    for name in axes_of(section):
        if name not in axes:
            message = f"{name} is not an axis of this job"
            raise document.error((*steps, name), message, expected=f"it in variants: {{{name}: [...]}}")


def settings_of(measure: MeasureSection, chosen: SettingValues) -> dict[str, str]:
    """How the board is set for a variant; what is left as it is, is left out."""
    asked = {name: getattr(measure, name) for name in SETTINGS}
    asked.update(chosen)
    return {name: value for name, value in asked.items() if value and value != AS_IS}
