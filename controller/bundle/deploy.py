"""The files by which a bundle is deployed: an image on top of the agent's, compose, a unit, a script, a page. Pure."""

from dataclasses import dataclass
from importlib.resources import files
from string import Template

from controller.image.recipe import CPU, JETSON, ImageRecipe, jetson_recipe, plain_recipe
from controller.model.result import Row
from jetfleet.bundle import Manifest
from jetfleet.errors import BadInput

_TEMPLATES = {
    "Dockerfile": "Dockerfile.txt",
    "build.sh": "build.sh.txt",
    "compose.yaml": "compose.yaml.txt",
    "install.sh": "install.sh.txt",
    "README.md": "README.md.txt",
}
_UNIT = "unit.service.txt"


@dataclass(frozen=True)
class DeployFile:
    path: str
    text: str
    executable: bool = False


def recipe_for(row: Row, *, base: str = "", build_base: str = "", python: str = "") -> ImageRecipe:
    """The agent's image on the board's own L4T, never a guess. Raises BadInput for a release without an image."""
    l4t = row.facts.get("l4t")
    if l4t:
        return jetson_recipe(str(l4t), module=str(row.facts.get("module", "")), base=base, build_base=build_base)
    if row.runtime.startswith("tensorrt"):
        raise BadInput(
            f"{row.device} reports no L4T, and its engine is one of {row.runtime}",
            where="--for",
            expected="a Jetson; for a data-centre GPU deploy natively: --no-image",
        )
    arch = str(row.facts.get("arch", "x86_64"))
    version = python or ".".join(str(row.facts.get("python", "")).split(".")[:2])
    return plain_recipe(CPU, base=base or "IMAGE_WITH_PYTHON", python=version, arch=arch)


def deploy_files(manifest: Manifest, recipe: ImageRecipe | None, agent_dockerfile: str) -> list[DeployFile]:
    """Those of the image only where there is a recipe."""
    values = _values(manifest, recipe)
    made = [
        DeployFile(f"deploy/{manifest.name}.service", _filled(_UNIT, values)),
        DeployFile("deploy/install.sh", _filled(_TEMPLATES["install.sh"], values), executable=True),
        DeployFile("README.md", _filled(_TEMPLATES["README.md"], values)),
    ]
    if recipe is not None:
        made += [
            DeployFile("image/agent.Dockerfile", agent_dockerfile),
            DeployFile("image/Dockerfile", _filled(_TEMPLATES["Dockerfile"], values)),
            DeployFile("image/build.sh", _filled(_TEMPLATES["build.sh"], values), executable=True),
            DeployFile("deploy/compose.yaml", _filled(_TEMPLATES["compose.yaml"], values)),
        ]
    return made


def _values(manifest: Manifest, recipe: ImageRecipe | None) -> dict[str, str]:
    p50 = manifest.measurement.get("p50_ms")
    return {
        "name": manifest.name,
        "variant": manifest.variant,
        "model": manifest.model,
        "runtime": f"{manifest.runtime} {manifest.runtime_version}",
        "extra": "onnxruntime" if manifest.runtime == "onnxruntime" else "cuda",
        "p50": f"{p50:.4g} ms" if isinstance(p50, float) else "unknown",
        "device": ", ".join(f"{key} {value}" for key, value in sorted(manifest.facts.items())),
        "budget": ", ".join(f"{key} {value:g}" for key, value in sorted(manifest.budget.items())) or "none",
        "made_by": manifest.made_by,
        **(_image_values(recipe) if recipe else _NO_IMAGE),
    }


def _image_values(recipe: ImageRecipe) -> dict[str, str]:
    is_jetson = recipe.dockerfile == JETSON
    build_argument = f'--build-arg BUILD_IMAGE="${{BUILD_IMAGE:-{recipe.build_base}}}" '
    return {
        "agent_image": recipe.tag,
        "base": recipe.base,
        "build_base": recipe.build_base or recipe.base,
        "build_argument": build_argument if is_jetson else "",
        "compose_runtime": "    runtime: nvidia\n" if is_jetson else "",
        "notes": "\n".join(f"- {note}" for note in recipe.notes),
    }


_NO_IMAGE = dict.fromkeys(("agent_image", "base", "build_base", "build_argument", "compose_runtime", "notes"), "")


def _filled(name: str, values: dict[str, str]) -> str:
    text = files("controller.bundle").joinpath("templates").joinpath(name).read_text(encoding="utf-8")
    return Template(text).substitute(values)
