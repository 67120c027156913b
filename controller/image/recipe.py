"""Which image a board needs: its Dockerfile, its bases by the board's own L4T, and what follows from them. Pure."""

import re
from dataclasses import dataclass, replace

from jetfleet.errors import BadInput
from jetfleet.modules import MODULES
from jetfleet.releases import LOCAL, NVIDIA_REGISTRY, RELEASES, SoftwareRelease, agent_image
from jetfleet.tensorrt import line_of
from jetfleet.version import VERSION

JETSON, CPU, CONTROLLER = "agent-jetson.Dockerfile", "agent-cpu.Dockerfile", "controller.Dockerfile"
_EXTRAS = {JETSON: ("agent", "cuda"), CPU: ("agent", "onnxruntime"), CONTROLLER: ("controller",)}
# The lowest glibc of the bases that are meant: Debian 10 and what is younger; Ubuntu 22.04 and 24.04 for a Jetson.
_ANY_GLIBC = 28
# A reference as the distribution project has it: host, path, tag, digest (reference.go).
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_TAG = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_IMAGE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?:{_TAG})?(?:@sha256:[0-9a-f]{{64}})?")
_LONGEST_IMAGE = 500
_PYTHON = re.compile(r"3\.([0-9]{1,3})")
_LOWEST_PYTHON = 10
_UBUNTU_GLIBC = {"3.10": 35, "3.12": 39}


@dataclass(frozen=True)
class ImageRecipe:
    """`build_base` is empty where nothing is compiled. `python` is the base's, `glibc` the minor of 2.x. `more` are
    extras beside the image's own: with one of them it is another image.
    """

    dockerfile: str
    base: str
    build_base: str
    tag: str
    python: str
    arch: str
    glibc: int
    notes: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    @property
    def extras(self) -> tuple[str, ...]:
        return (*_EXTRAS[self.dockerfile], *self.more)

    def having(self, *extras: str) -> "ImageRecipe":
        return replace(self, more=extras, tag="-".join((self.tag, *extras)))

    @property
    def compiles_pycuda(self) -> bool:
        return "cuda" in self.extras


def check_image(image: str, where: str) -> None:
    """Raises BadInput for what is not a reference of an image: it stands in scripts, which a shell reads."""
    if _IMAGE.fullmatch(image) is None or len(image) > _LONGEST_IMAGE:
        raise BadInput(f"{image[:80]!r} is not a valid image", where=where, expected="NAME:TAG or NAME@sha256:...")


def check_python(version: str) -> None:
    """Raises BadInput for what is not a Python, or one that is older than an agent's."""
    found = _PYTHON.fullmatch(version)
    if found is None or int(found[1]) < _LOWEST_PYTHON:
        raise BadInput(
            f"{version[:80]!r} is not a Python that this runs on",
            where="--python",
            expected=f"3.{_LOWEST_PYTHON} or newer, as 3.N",
        )


def _checked(recipe: ImageRecipe) -> ImageRecipe:
    check_image(recipe.base, "--base")
    if recipe.build_base:
        check_image(recipe.build_base, "--build-base")
    check_python(recipe.python)
    return recipe


def jetson_recipe(l4t: str, *, module: str = "", base: str = "", build_base: str = "") -> ImageRecipe:
    """`module` may be empty: of any board. Raises BadInput for a release that no image is known for."""
    release = _release(l4t)
    if release.tensorrt and not line_of(release.tensorrt).supported:
        raise BadInput(
            f"L4T {l4t} is JetPack {release.jetpack}, whose TensorRT {release.tensorrt} is not supported",
            where="--l4t",
            expected="JetPack 6 or 7",
        )
    if not (release.base_image or base):
        raise BadInput(
            f"no image is known for L4T {l4t} (JetPack {release.jetpack})",
            where="--l4t",
            expected=f"--base IMAGE with TensorRT {release.tensorrt or 'of that JetPack'}, and --build-base with nvcc",
        )
    chosen = base or f"{NVIDIA_REGISTRY}/{release.base_image}"
    recipe = ImageRecipe(
        dockerfile=JETSON,
        base=chosen,
        build_base=build_base or (base if base else f"{NVIDIA_REGISTRY}/{release.build_image}"),
        tag=agent_image(VERSION, l4t),
        python=release.python,
        arch="aarch64",
        glibc=_UBUNTU_GLIBC[release.python],
        notes=tuple(_notes(release, module)),
    )
    return _checked(recipe)


def plain_recipe(dockerfile: str, *, base: str, python: str, arch: str) -> ImageRecipe:
    """Of an agent for the CPU, or of the controller. Raises BadInput where the base or its Python is not named."""
    if not base or not python:
        raise BadInput(
            "which image to build on is yours to choose, and which Python is in it",
            where="--base, --python",
            expected="a base with glibc 2.28 or newer: --base debian-with-python3:12 --python 3.11",
        )
    tag = f"{LOCAL}/jetfleet-controller:{VERSION}" if dockerfile == CONTROLLER else agent_image(VERSION, None)
    return _checked(ImageRecipe(dockerfile, base, "", tag, python, arch, _ANY_GLIBC))


def _release(l4t: str) -> SoftwareRelease:
    """Exactly: a container of another release may start, and fail where it first meets the host's driver."""
    if (found := RELEASES.get(l4t)) is None:
        raise BadInput(
            f"L4T {l4t} is not known here", where="--l4t", expected=f"one of {', '.join(RELEASES)}; or a newer jetfleet"
        )
    return found


def _notes(release: SoftwareRelease, module: str) -> list[str]:
    if not release.images:
        return []
    found = MODULES.get(module)
    has_dla = found is None or found.dla_cores > 0
    if release.base_image.startswith("l4t-"):
        return _l4t_notes(release, has_dla=has_dla)
    said = [
        f"{release.base_image} is an SBSA image with a TensorRT of its own: engines of it and of the host's "
        f"{release.tensorrt} are not the same, and are never exchanged"
    ]
    if has_dla and line_of(release.tensorrt).dla is None:
        said.append("it has no DLA: a placement on a DLA core is not run on this release")
    return said


def _l4t_notes(release: SoftwareRelease, *, has_dla: bool) -> list[str]:
    said = [
        "TensorRT needs the DLA's compiler of the host, on boards without a DLA too: package "
        "nvidia-l4t-dla-compiler has to be installed there, else libnvdla_compiler.so is missing"
    ]
    if release.build_image != f"l4t-jetpack:r{release.l4t}":
        said.insert(0, f"L4T {release.l4t} has no image of its own: {release.build_image} serves it")
    if has_dla and release.tensorrt.startswith("10."):
        said.append(
            f"TensorRT {release.tensorrt} drives the DLA; a tensorrt:YY.MM-py3-igpu image instead brings a newer "
            "TensorRT, and no TensorRT from 10.8 up to 11.4.0 is documented to"
        )
    return said
