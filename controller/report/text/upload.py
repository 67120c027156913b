"""An upload as it goes: one line with a bar on a terminal, its begin and its end where nobody watches."""

from types import TracebackType
from typing import TextIO

from controller.report.text.table import on_terminal

_CELLS = 30


class UploadDisplay:
    """A context that is told how many bytes are sent of how many, for one upload after the other."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._live = out, on_terminal(out)
        self._begun = False
        self._told: tuple[int, int] | None = None  # percent and total, as the bar shows them

    def __enter__(self) -> "UploadDisplay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """An upload that was broken off: what is said next begins a line of its own."""
        if self._live and self._begun:
            self._write("\n")

    def __call__(self, sent: int, total: int) -> None:
        ended = sent >= total
        if self._live:
            self._draw(sent, total, end="\n" if ended else "")
        elif ended or not self._begun:
            self._write(f"upload: {_megabytes(total)}{' sent' if ended else ''}\n")
        self._begun = not ended

    def _draw(self, sent: int, total: int, *, end: str) -> None:
        percent = 100 * sent // total if total else 100
        if self._told != (percent, total) or end:
            full = _CELLS * percent // 100
            bar = "#" * full + "." * (_CELLS - full)  # ASCII: any terminal shows it
            self._write(f"\rupload [{bar}] {percent:3d} % of {_megabytes(total)}{end}")
        self._told = (percent, total)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
