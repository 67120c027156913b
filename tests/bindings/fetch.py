"""Fetches TensorRT's released Python bindings, without TensorRT, and stubs of them: `python fetch.py FOLDER`.

Each goes to a folder of its own, off every path: a package named tensorrt that is none would mislead the agent.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

# Version -> package, and the newest Python that it has a wheel for (None: newer than any that we run on).
BINDINGS: dict[str, tuple[str, tuple[int, int] | None]] = {
    "8.6.1": ("tensorrt-bindings", (3, 11)),  # JetPack 6.0 has 8.6.2
    "10.3.0": ("tensorrt-cu12-bindings", (3, 12)),  # JetPack 6.1, 6.2
    "10.13.3.9": ("tensorrt-cu12-bindings", (3, 13)),  # JetPack 7.0, 7.1
    "10.16.1.11": ("tensorrt-cu12-bindings", None),  # JetPack 7.2 has 10.16.2
    "11.4.0.106": ("tensorrt-cu12-bindings", None),  # JetPack 7.2.2 has 11.4.1
}
STUBS = "tensorrt-stubs==10.13.0.35.1"
# What no type checker can read in the stubs: a keyword as a parameter, a default before a parameter without one. And
# what pybind11's signatures leave out, though the classes' own words say it: Dims behave like tuples, and any iterable
# of numbers goes for them.
_MENDED = (
    (re.compile(r"\bin: (?=list\[)"), "in_: "),
    (re.compile(r"(power: Weights = None, channel_axis: int)\)"), r"\1 = 0)"),
    (re.compile(r": Dims(?=[,)])"), ": Dims | typing.Sequence[int]"),
    (re.compile(r"^(class Dims:\n)", re.MULTILINE), r"\1    def __iter__(self) -> typing.Iterator[int]: ...\n"),
)


def for_this_python(version: str) -> bool:
    newest = BINDINGS[version][1]
    return newest is None or sys.version_info[:2] <= newest


def main(folder: Path) -> None:
    for version, (package, _) in BINDINGS.items():
        if for_this_python(version):
            _install(f"{package}=={version}", folder / version)
        else:
            sys.stdout.write(f"{package} {version} has no wheel for this Python: left out\n")
    shutil.rmtree(folder / "stubs", ignore_errors=True)
    _install(STUBS, folder / "stubs")
    _mend(folder / "stubs" / "tensorrt_bindings" / "tensorrt.pyi")


def _install(requirement: str, target: Path) -> None:
    """From wherever pip is set up to take it."""
    if target.is_dir():
        return
    part = target.with_name(target.name + ".part")
    arguments = ["--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:", "--upgrade", "--target", str(part)]
    subprocess.run([sys.executable, "-m", "pip", "install", *arguments, requirement], check=True)
    part.replace(target)
    sys.stdout.write(f"{requirement}: {target}\n")


def _mend(stub: Path) -> None:
    text = stub.read_text()
    for wrong, right in _MENDED:
        text = wrong.sub(right, text)
    stub.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
