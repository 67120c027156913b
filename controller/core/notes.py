"""What a plan tells beside its tasks: devices left out and builds that are known to fail, grouped by reason. Pure."""

from collections.abc import Iterable

_NAMED = 4  # of devices or variants in one line; the rest is counted


class PlanNotes:
    """One line for each reason, however many devices and variants it is about."""

    def __init__(self) -> None:
        self._absent: dict[str, dict[str, None]] = {}
        self._refused: dict[str, dict[str, None]] = {}
        self._left_out: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
        self._warned: dict[str, tuple[dict[str, None], dict[str, None]]] = {}

    def absent(self, device: str, state: str) -> None:
        """A device that a job without targets does not mean."""
        self._absent.setdefault(state, {})[device] = None

    def refused(self, variant: str, reason: str) -> None:
        """A variant that was found at submit to be impossible on any device."""
        self._refused.setdefault(reason, {})[variant] = None

    def left_out(self, device: str, variant: str, reason: str) -> None:
        _add(self._left_out, device, variant, reason)

    def warn(self, device: str, variant: str, reason: str) -> None:
        """Nothing where there is no reason."""
        if reason:
            _add(self._warned, device, variant, reason)

    def lines(self) -> tuple[str, ...]:
        absent = [
            f"{_some(names)} {'is' if len(names) == 1 else 'are'} {state}: not meant without targets"
            for state, names in self._absent.items()
        ]
        refused = [
            f"{_some(variants)} {'is' if len(variants) == 1 else 'are'} refused: {reason}"
            for reason, variants in self._refused.items()
        ]
        left_out = [
            f"{_some(devices)} {'is' if len(devices) == 1 else 'are'} left out of {_some(variants)}: {reason}"
            for reason, (devices, variants) in self._left_out.items()
        ]
        warned = [
            f"warning: {_some(variants)} on {_some(devices)}: {reason}"
            for reason, (devices, variants) in self._warned.items()
        ]
        return (*absent, *refused, *left_out, *warned)


def _add(found: dict[str, tuple[dict[str, None], dict[str, None]]], device: str, variant: str, reason: str) -> None:
    devices, variants = found.setdefault(reason, ({}, {}))
    devices[device] = None
    variants[variant] = None


def _some(names: Iterable[str]) -> str:
    """`a, b, c, d and 9 more`."""
    listed = list(names)
    more = len(listed) - _NAMED
    return ", ".join(listed) if more <= 0 else f"{', '.join(listed[:_NAMED])} and {more} more"
