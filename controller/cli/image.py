"""`controller image`: the image that a board, or a controller, runs in; and what a board without internet needs."""

import platform
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.settings import print_message, settings_of
from jetfleet.errors import BadInput
from jetfleet.usage import check_folders, check_outputs

if TYPE_CHECKING:
    from controller.image.recipe import ImageRecipe

For = Annotated[str, typer.Option("--for", metavar="DEVICE", help="For the L4T that this device reported.")]
L4t = Annotated[str, typer.Option("--l4t", metavar="RELEASE", help="For this L4T: 36.4.3 (cat /etc/nv_tegra_release).")]
Cpu = Annotated[bool, typer.Option("--cpu", help="An agent without TensorRT.")]
OfController = Annotated[bool, typer.Option("--controller", help="The controller.")]
Base = Annotated[str, typer.Option(metavar="IMAGE", help="Build on this one. [default: by the L4T]")]
BuildBase = Annotated[str, typer.Option(metavar="IMAGE", help="Compile on this one. [default: by the L4T]")]
Python = Annotated[str, typer.Option(metavar="3.N", help="Which Python the base has. [default: by the L4T]")]
Arch = Annotated[
    str,
    typer.Option(help="Of --cpu and --controller: x86_64 or aarch64. [default: this machine's]", show_default=False),
]
Apt = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VERSION", help="Install it to compile with; may be repeated.", show_default=False),
]
Build = Annotated[bool, typer.Option("--build/--print", help="Build it here, or print the commands.")]
Engine = Annotated[str, typer.Option(help="docker or podman.")]
Tag = Annotated[str, typer.Option(metavar="NAME:TAG", help="What to call the image. [default: by version and L4T]")]
Wheelhouse = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Put all packages there; with --build, build from it.", show_default=False),
]
Archive = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Build it, and keep it in a file too.", show_default=False)
]


def image(
    context: typer.Context,
    device: For = "",
    l4t: L4t = "",
    cpu: Cpu = False,
    of_controller: OfController = False,
    base: Base = "",
    build_base: BuildBase = "",
    python: Python = "",
    arch: Arch = platform.machine(),
    apt: Apt = None,
    build: Build = False,
    engine: Engine = "docker",
    tag: Tag = "",
    wheelhouse: Wheelhouse = None,
    archive: Archive = None,
) -> None:
    """Choose, build or keep the image that a board or a controller runs in.

    By the board's own L4T; the agent and all it needs come from a wheelhouse, and nothing is downloaded when it runs.
    """
    from dataclasses import replace

    from controller.image.commands import check_choices
    from controller.image.recipe import check_image

    check_choices(engine=engine, arch=arch, apt=apt or [])
    if [bool(device), bool(l4t), cpu, of_controller].count(True) != 1:
        raise BadInput("which image is meant?", expected="one of --for DEVICE, --l4t RELEASE, --cpu, --controller")
    check_outputs(**{"--archive": archive})
    check_folders(**{"--wheelhouse": wheelhouse})
    bases = (base, build_base, python, arch)
    recipe = _recipe(context, device=device, l4t=l4t, of_controller=of_controller, bases=bases)
    if tag:
        check_image(tag, "--tag")
        recipe = replace(recipe, tag=tag)
    for note in recipe.notes:
        print_message(f"note: {note}")
    if build or archive:
        _build(recipe, engine, wheelhouse, apt or [], archive)
        return
    made = wheelhouse is not None and _made(recipe, wheelhouse)
    _print(recipe, engine, wheelhouse if made else None, apt or [])


def _recipe(
    context: typer.Context, *, device: str, l4t: str, of_controller: bool, bases: tuple[str, str, str, str]
) -> "ImageRecipe":
    from controller.image.recipe import CONTROLLER, CPU, jetson_recipe, plain_recipe

    base, build_base, python, arch = bases
    module = ""
    if device:
        from controller.cli.devices import find_device

        with settings_of(context).connect() as client:
            facts = find_device(client.devices(), device).facts
        l4t, module = str(facts.get("l4t", "")), str(facts.get("module", ""))
        arch = str(facts.get("arch", arch))
        if not l4t:
            print_message(f"note: {device} reports no L4T: it gets the agent for the CPU")
    if l4t:
        return jetson_recipe(l4t, module=module, base=base, build_base=build_base)
    return plain_recipe(CONTROLLER if of_controller else CPU, base=base, python=python, arch=arch)


def _build(recipe: "ImageRecipe", engine: str, wheelhouse: Path | None, apt: list[str], archive: Path | None) -> None:
    from controller.image.build import build_image, save_image

    with ExitStack() as stack:
        folder = wheelhouse or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "wheelhouse"
        _made(recipe, folder)
        build_image(recipe, engine, wheelhouse=folder, apt=apt, say=print_message)
    if archive:
        save_image(recipe, engine, archive, print_message)
    print(recipe.tag)


def _made(recipe: "ImageRecipe", folder: Path) -> bool:
    """One that is there already is taken as it is: it may have been carried to this machine."""
    from controller.image.wheelhouse import is_wheelhouse, make_wheelhouse

    if not is_wheelhouse(folder, recipe):
        make_wheelhouse(recipe, folder, print_message)
    return True


def _print(recipe: "ImageRecipe", engine: str, wheelhouse: Path | None, apt: list[str]) -> None:
    from controller.image.commands import build_command, run_script, shown
    from controller.image.source import docker_file

    where = wheelhouse or Path("wheelhouse")
    if wheelhouse is None:
        print(f"# Once: the same command with --wheelhouse {where} makes the folder that is built from.")
    print(shown(build_command(recipe, engine, dockerfile=docker_file(recipe.dockerfile), context=where, apt=apt)))
    print(run_script(recipe, engine))
