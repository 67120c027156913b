"""Writes the table of JetPacks in docs/devices.md from the list of releases: `python -m tests.intake.release_table`."""

from pathlib import Path

from jetfleet.releases import RELEASES, SoftwareRelease
from jetfleet.tensorrt import line_of

DOCS = Path(__file__).parents[2] / "docs" / "devices.md"
_BEGIN, _END = "<!-- releases: made by tests/intake/release_table.py -->\n", "<!-- end of releases -->\n"
_HEAD = "| JetPack | L4T | CUDA | TensorRT | DLA | images of nvcr.io/nvidia |\n|---|---|---|---|---|---|\n"


def written(text: str) -> str:
    """The document with its table as the list has it now."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_HEAD}{''.join(map(_row, RELEASES.values()))}{_END}{after}"


def _row(release: SoftwareRelease) -> str:
    jetpack = f"{release.jetpack} (preview)" if release.preview else release.jetpack
    images = ", ".join(f"`{name}`" for name in release.images) or "none known"
    known = [release.cuda or "not known", release.tensorrt or "not known"]
    return f"| {jetpack} | {release.l4t} | {' | '.join(known)} | {_dla(release.tensorrt)} | {images} |\n"


def _dla(tensorrt: str) -> str:
    if not tensorrt:
        return "not known"
    line = line_of(tensorrt)
    if not line.supported:
        return "TensorRT is too old"
    if line.dla is None:
        return "none"
    return "AGX Orin only" if line.dla.modules else "yes"


if __name__ == "__main__":
    DOCS.write_text(written(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
