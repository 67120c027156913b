"""A folder with every package that an image or a board without internet installs, each by its digest.

pip is asked for one package at a time and never to resolve: it would judge the markers of requirements by the Python
that runs it, and the folder is for another one. What it brought is read, until nothing is missing.
"""

import email.parser
import hashlib
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from controller.image.recipe import ImageRecipe
from controller.image.source import clone, constraints_text
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.interpreter import PYTHON
from jetfleet.version import VERSION

Say = Callable[[str], None]

REQUIREMENTS, BUILD_REQUIREMENTS, SUMS = "requirements.txt", "build-requirements.txt", "SHA256SUMS"
FOR = "wheelhouse.txt"
_BUILD_TOOLS = ("setuptools", "wheel")  # of pycuda, with numpy, which is there anyway
_SOURCE_ONLY = "pycuda"


@dataclass(frozen=True)
class WheelhousePackage:
    """A file of the folder, and what it says of itself."""

    path: Path
    name: str
    version: str
    requires: tuple[str, ...]


def make_wheelhouse(recipe: ImageRecipe, folder: Path, say: Say) -> None:
    """Raises BadInput for a folder with something in it, Infrastructure where pip fails."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BadInput("there is something in it already", where=f"--wheelhouse {folder}", expected="an empty folder")
    extras = ",".join(recipe.extras)
    say(f"a wheelhouse for {_label(recipe)}")
    _fetch_own(folder)
    marked = _TargetMarkers(recipe)
    found = _close(recipe, folder, [f"jetfleet[{extras}]=={VERSION}"], marked, say)
    _fetch(recipe, folder, ["pip"], say)
    tools = _BUILD_TOOLS if recipe.compiles_pycuda else ()
    if tools:
        _fetch(recipe, folder, [marked.pinned(item) for item in tools], say)
    (folder / FOR).write_text(f"{_label(recipe)}\n")
    _write_lists(folder, [item.name for item in found.values() if item.path.suffix == ".whl"], tools)


def is_wheelhouse(folder: Path, recipe: ImageRecipe) -> bool:
    """Whether it is one for this recipe. Raises BadInput for one that is for another Python or machine, or version."""
    if not (folder / FOR).is_file():
        return False
    found = (folder / FOR).read_text().strip()
    if found != _label(recipe):
        raise BadInput(f"it is for {found}", where=f"--wheelhouse {folder}", expected=_label(recipe))
    return True


def _label(recipe: ImageRecipe) -> str:
    return f"jetfleet {VERSION} [{','.join(recipe.extras)}], Python {recipe.python}, {recipe.arch}"


def _close(
    recipe: ImageRecipe, folder: Path, wanted: Sequence[str], marked: "_TargetMarkers", say: Say
) -> "dict[str, WheelhousePackage]":
    """Everything that is needed by what is wanted, fetched. Every requirement is held against what was chosen."""
    done: set[tuple[str, str]] = set()
    requirements = [Requirement(item) for item in wanted]
    while requirements:
        missing = _missing(requirements, _packages(folder))
        if missing:
            _fetch(recipe, folder, [marked.pinned(f"{item.name}{item.specifier}") for item in missing], say)
        present = _packages(folder)
        asked = {
            (present[_held(item, present)].name, extra): None for item in requirements for extra in ("", *item.extras)
        }
        fresh = [key for key in asked if key not in done]
        done.update(fresh)
        requirements = [item for name, extra in fresh for item in marked.requirements(present[name], extra)]
    return _packages(folder)


def _missing(requirements: Sequence[Requirement], present: Mapping[str, WheelhousePackage]) -> list[Requirement]:
    """One for each name."""
    by_name = {canonicalize_name(item.name): item for item in requirements}
    return [item for name, item in by_name.items() if name not in present]


def _held(requirement: Requirement, present: Mapping[str, WheelhousePackage]) -> str:
    """The name of the package that meets it. Raises Infrastructure where what was chosen does not."""
    package = present[canonicalize_name(requirement.name)]
    if not requirement.specifier.contains(package.version, prereleases=True):
        raise Infrastructure(f"{package.name} {package.version} was chosen, and {requirement} is required too")
    return package.name


class _TargetMarkers:
    """Markers of requirements, judged for the Python and the machine that the folder is for."""

    def __init__(self, recipe: ImageRecipe) -> None:
        self._values = {
            "python_version": recipe.python,
            "python_full_version": f"{recipe.python}.0",
            "platform_machine": recipe.arch,
            "platform_system": "Linux",
            "sys_platform": "linux",
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }
        self._pins = dict(self._read_pins(constraints_text().splitlines()))

    def pinned(self, requirement: str) -> str:
        """With the version that this project was tested with, where it names one."""
        parsed = Requirement(requirement)
        pin = self._pins.get(canonicalize_name(parsed.name))
        return f"{parsed.name}{pin}" if pin else requirement

    def requirements(self, package: WheelhousePackage, extra: str) -> Iterator[Requirement]:
        """Of the package with that extra; with none, those that it has always."""
        return (item for item in map(Requirement, package.requires) if self._is_of(item, extra))

    def _is_of(self, requirement: Requirement, extra: str) -> bool:
        marker = requirement.marker
        always = marker is None or marker.evaluate({**self._values, "extra": ""})
        if not extra or always:
            return always and not extra
        return marker is not None and marker.evaluate({**self._values, "extra": extra})

    def _read_pins(self, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
        for line in lines:
            try:
                parsed = Requirement(line)
            except InvalidRequirement:  # an empty line or a remark
                continue
            if parsed.marker is None or parsed.marker.evaluate(self._values):
                yield canonicalize_name(parsed.name), str(parsed.specifier)


def _fetch_own(folder: Path) -> None:
    root = clone()
    what = [str(root)] if root else [f"jetfleet=={VERSION}"]
    _pip("wheel" if root else "download", "--no-deps", "--dest" if not root else "--wheel-dir", str(folder), *what)


def _fetch(recipe: ImageRecipe, folder: Path, wanted: Sequence[str], say: Say) -> None:
    """Wheels for the target; pycuda has none, and its sources are taken."""
    sources = [item for item in wanted if Requirement(item).name == _SOURCE_ONLY]
    wheels = [item for item in wanted if item not in sources]
    say(f"fetch {' '.join(wanted)}")
    if sources:
        _pip("download", "--no-deps", "--no-binary", _SOURCE_ONLY, "--dest", str(folder), *sources)
    if wheels:
        tags = [f"manylinux_2_{minor}_{recipe.arch}" for minor in range(recipe.glibc, 4, -1)]
        platforms = [word for tag in (*tags, f"manylinux2014_{recipe.arch}") for word in ("--platform", tag)]
        target = ["--python-version", recipe.python, "--implementation", "cp", *platforms]
        _pip("download", "--no-deps", "--only-binary", ":all:", *target, "--dest", str(folder), *wheels)


def _pip(*words: str) -> None:
    done = subprocess.run([PYTHON, "-m", "pip", "--quiet", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Infrastructure(
            f"pip ended with {done.returncode}: {_last_error(done.stderr)}", where=f"pip {' '.join(words)}"
        )


def _last_error(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1]


def _packages(folder: Path) -> dict[str, WheelhousePackage]:
    found = (_read_package(path) for path in sorted(folder.iterdir()) if path.name.endswith((".whl", ".tar.gz")))
    return {item.name: item for item in found}


def _read_package(path: Path) -> WheelhousePackage:
    said = _metadata(path)
    return WheelhousePackage(
        path, canonicalize_name(said["Name"]), said["Version"], tuple(said.get_all("Requires-Dist") or ())
    )


def _metadata(path: Path) -> Message:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            inside = next(name for name in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            text = wheel.read(inside).decode()
    else:
        with tarfile.open(path) as sources:
            inside = next(name for name in sources.getnames() if re.fullmatch(r"[^/]+/PKG-INFO", name))
            member = sources.extractfile(inside)
            text = member.read().decode() if member else ""
    return email.parser.HeaderParser().parsestr(text)


def _write_lists(folder: Path, names: Sequence[str], tools: Sequence[str]) -> None:
    """What to install, by digest, for pip; and the digest of every file, for whoever carried the folder somewhere."""
    packages = _packages(folder)
    lines = {name: f"{name}=={item.version} --hash=sha256:{_digest(item.path)}\n" for name, item in packages.items()}
    (folder / REQUIREMENTS).write_text("".join(lines[name] for name in sorted(names)))
    if tools:
        (folder / BUILD_REQUIREMENTS).write_text("".join(lines[name] for name in (*tools, "numpy")))
    sums = (f"{_digest(path)}  {path.name}\n" for path in sorted(folder.iterdir()))
    (folder / SUMS).write_text("".join(sums))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
