"""The files by which a bundle is deployed: an image on top of the agent's, compose, a unit, a script, a page. Pure."""

from dataclasses import dataclass
from importlib.resources import files
from string import Template

from controller.image.recipe import CPU, JETSON, ImageRecipe, check_python, jetson_recipe, plain_recipe
from controller.model.result import Row
from jetfleet.bundle import Manifest
from jetfleet.circumstances import PIPELINE
from jetfleet.errors import BadInput
from jetfleet.placement import CPU as CPU_PLACEMENT
from jetfleet.plain_log import printable_line
from jetfleet.releases import NVIDIA_REGISTRY, RELEASES, SoftwareRelease

TENSORRT, ONNXRUNTIME = "tensorrt", "onnxruntime"
_ALWAYS = {
    "README.md": "README.md.txt",
    "deploy/install.sh": "install.sh.txt",
}
_OF_AN_IMAGE = {
    "image/Dockerfile": "Dockerfile.txt",
    "image/build.sh": "build.sh.txt",
    "deploy/compose.yaml": "compose.yaml.txt",
    "deploy/.env": "compose.env.txt",
}
_UNIT = "unit.service.txt"
_EXTRAS = {ONNXRUNTIME: ("onnxruntime",), TENSORRT: ("cuda",), "tensorrt_rtx": ("tensorrt-rtx", "cuda")}
_NO_BASE = "image-with-python"
# Docker hides the first, and the second is the image's own: by both the engine is known to be for this board.
_BOARD_FILES = ("/sys/firmware:/host/sys/firmware:ro", "/var/lib/dpkg/status:/host/var/lib/dpkg/status:ro")
_COMPOSE_HEAD = """\
# Before, for the devices of the board; by number, because a name is another number in the image:
#   export VIDEO_GROUP=$(getent group video | cut -d: -f3)
#   export RENDER_GROUP=$(getent group render video | cut -d: -f3 | head -n 1)"""
_COMPOSE_BOARD = """\
    runtime: nvidia
    group_add: ["${VIDEO_GROUP:?see the top of this file}", "${RENDER_GROUP:?see the top of this file}"]
"""
_CHECK_BASE = f"""\
    [ "${{BASE_IMAGE:-@base@}}" != {_NO_BASE} ] || {{
        echo "error: which image is built on? BASE_IMAGE=... with glibc 2.28 or newer and Python @python@" >&2
        exit 2; }}
"""
_CONTAINER = """\
| as a container | `image/build.sh`, then `docker compose -f deploy/compose.yaml up -d` |
| and its budget in the container | `docker compose -f deploy/compose.yaml run --rm NAME accept /bundle` |
"""


@dataclass(frozen=True)
class DeployFile:
    path: str
    text: str

    @property
    def executable(self) -> bool:
        return self.path.endswith(".sh")


def recipe_for(row: Row, *, base: str = "", build_base: str = "", python: str = "") -> ImageRecipe:
    """The agent's image on the board's own L4T, never a guess. Raises BadInput for a release without an image."""
    if python:
        check_python(python)
    recipe = _recipe(row, base=base, build_base=build_base, python=python)
    return recipe.having("pipeline") if PIPELINE in row.measurement.circumstances else recipe


def _recipe(row: Row, *, base: str, build_base: str, python: str) -> ImageRecipe:
    l4t = str(row.facts.get("l4t") or "")
    if _is_of_cpu(row, l4t):
        return _cpu_recipe(row, RELEASES.get(l4t), base=base, python=python)
    if l4t and row.runtime != ONNXRUNTIME:
        return jetson_recipe(l4t, module=str(row.facts.get("module", "")), base=base, build_base=build_base)
    raise BadInput(
        f"no image is known for {row.runtime} on {row.placement} of {row.device}",
        where="--for",
        expected="TensorRT on a Jetson, or ONNX Runtime on a CPU; for anything else deploy natively: --no-image",
    )


def _is_of_cpu(row: Row, l4t: str) -> bool:
    return row.placement == CPU_PLACEMENT if row.runtime == ONNXRUNTIME else row.runtime == "simulated" and not l4t


def _cpu_recipe(row: Row, release: SoftwareRelease | None, *, base: str, python: str) -> ImageRecipe:
    """On a Jetson by default on the image of its own release, whose Python is known."""
    if release and release.base_image and not base:
        base, python = f"{NVIDIA_REGISTRY}/{release.base_image}", release.python
    version = python or ".".join(str(row.facts.get("python", "")).split(".")[:2])
    return plain_recipe(CPU, base=base or _NO_BASE, python=version, arch=str(row.facts.get("arch", "x86_64")))


def deploy_files(manifest: Manifest, recipe: ImageRecipe | None, agent_dockerfile: str) -> list[DeployFile]:
    """Those of the image only where there is a recipe."""
    values = _values(manifest) | (_image_values(manifest, recipe) if recipe else {"container": "", "notes": ""})
    wanted = {**_ALWAYS, f"deploy/{values['unit']}.service": _UNIT, **(_OF_AN_IMAGE if recipe else {})}
    made = [DeployFile(path, _filled(template, values)) for path, template in wanted.items()]
    return [*made, DeployFile("image/agent.Dockerfile", agent_dockerfile)] if recipe else made


def extras_of(manifest: Manifest) -> tuple[str, ...]:
    """What pip installs of the agent's package where this is deployed natively.

    A Jetson's TensorRT is its own, from apt; elsewhere it is a package like others.
    """
    extras = _EXTRAS.get(manifest.runtime, ())
    if manifest.runtime == TENSORRT and "l4t" not in manifest.facts:
        extras = ("tensorrt", *extras)
    if manifest.runtime == ONNXRUNTIME and manifest.placement != CPU_PLACEMENT:
        extras = ("onnxruntime-gpu",)
    has_steps = manifest.measurement.get(PIPELINE) is not None
    return ("agent", *extras, *(("pipeline",) if has_steps else ()))


def _values(manifest: Manifest) -> dict[str, str]:
    p50 = manifest.measurement.get("p50_ms")
    values = {
        "name": manifest.name,
        "unit": f"jetfleet-bundle-{manifest.name}",  # apart from services of others, and from jetfleet's own
        "variant": manifest.variant,
        "model": manifest.model,
        "runtime": f"{manifest.runtime} {manifest.runtime_version}",
        "extras": ",".join(extras_of(manifest)),
        "p50": f"{p50:.4g} ms" if isinstance(p50, float) else "unknown",
        "device": ", ".join(f"{key} {value}" for key, value in sorted(manifest.facts.items())),
        "budget": ", ".join(f"{key} {value:g}" for key, value in sorted(manifest.budget.items())) or "none",
        "made_by": manifest.made_by,
    }
    return {key: printable_line(value) for key, value in values.items()}  # models and boards are called what they like


def _image_values(manifest: Manifest, recipe: ImageRecipe) -> dict[str, str]:
    is_jetson = recipe.dockerfile == JETSON
    build_argument = f'--build-arg BUILD_IMAGE="${{BUILD_IMAGE:-{recipe.build_base}}}" '
    volumes = ("engines:/var/lib/jetfleet", *(_BOARD_FILES if is_jetson else ()))
    return {
        "agent_image": recipe.tag,
        "base": recipe.base,
        "build_base": recipe.build_base or recipe.base,
        "build_argument": build_argument if is_jetson else "",
        "build_variable": f"\n#   BUILD_IMAGE=...    compiled on another than {recipe.build_base}" if is_jetson else "",
        "check_base": _CHECK_BASE.replace("@base@", recipe.base).replace("@python@", recipe.python),
        "compose_head": _COMPOSE_HEAD if is_jetson else "# It needs no device of this machine.",
        "compose_board": _COMPOSE_BOARD if is_jetson else "",
        "volumes": ", ".join(f'"{volume}"' for volume in volumes),
        "container": _CONTAINER.replace("NAME", manifest.name),
        "notes": "\n".join(f"- {note}" for note in recipe.notes),
    }


def _filled(name: str, values: dict[str, str]) -> str:
    text = files("controller.bundle").joinpath("templates").joinpath(name).read_text(encoding="utf-8")
    return Template(text).substitute(values)
