"""Every release of L4T gets the images that NVIDIA documents for it, or an error that says which are known."""

import pytest

from agent.install.container import run_options
from agent.install.host import SHARED_FILES, BoardHost
from controller.image.commands import build_command, check_choices, run_script, save_command
from controller.image.recipe import CONTROLLER, CPU, JETSON, jetson_recipe, plain_recipe
from jetfleet.errors import BadInput
from jetfleet.releases import RELEASES

R362, R363, R364 = (f"nvcr.io/nvidia/l4t-jetpack:r36.{minor}.0" for minor in (2, 3, 4))
TRT8, TRT10 = (f"nvcr.io/nvidia/l4t-tensorrt:r{version}-runtime" for version in ("8.6.2", "10.3.0"))
THOR, ORIN_7 = (f"nvcr.io/nvidia/tensorrt:{tag}-py3" for tag in ("25.08", "26.05"))
# By NVIDIA's release notes and the tags in public Dockerfiles: L4T, base, what is compiled on, Python.
DOCUMENTED = {
    "36.2.0": (TRT8, R362, "3.10"),
    "36.3.0": (TRT8, R363, "3.10"),
    "36.4.0": (TRT10, R364, "3.10"),
    "36.4.2": (TRT10, R364, "3.10"),
    "36.4.3": (TRT10, R364, "3.10"),
    "36.4.4": (TRT10, R364, "3.10"),
    "36.4.7": (TRT10, R364, "3.10"),
    "36.5.0": (TRT10, R364, "3.10"),
    "36.5.2": (TRT10, R364, "3.10"),
    "38.2.0": (THOR, THOR, "3.12"),
    "38.2.1": (THOR, THOR, "3.12"),
    "38.2.2": (THOR, THOR, "3.12"),
    "38.4.0": (THOR, THOR, "3.12"),
    "39.2.0": (ORIN_7, ORIN_7, "3.12"),
    "39.2.1": (ORIN_7, ORIN_7, "3.12"),
}
NO_IMAGE = ("39.0.0", "39.2.2")


@pytest.mark.parametrize("l4t", RELEASES)
def test_every_release_has_its_images_or_says_why_not(l4t):
    if l4t in DOCUMENTED:
        recipe = jetson_recipe(l4t)
        assert (recipe.base, recipe.build_base, recipe.python) == DOCUMENTED[l4t]
        assert (recipe.dockerfile, recipe.arch, recipe.tag[-len(l4t) :]) == (JETSON, "aarch64", l4t)
        return
    with pytest.raises(BadInput, match="no image is known" if l4t in NO_IMAGE else "not supported"):
        jetson_recipe(l4t)


@pytest.mark.parametrize("l4t", ["36.4.9", "36.9.0", "40.0.0", "", "latest", "36.4"])
def test_a_release_that_is_not_listed_is_refused_with_those_that_are(l4t):
    with pytest.raises(BadInput) as caught:
        jetson_recipe(l4t)
    assert all(known in caught.value.expected for known in RELEASES)


def test_a_base_that_somebody_names_serves_where_none_is_known():
    recipe = jetson_recipe("39.2.2", base="mine:1", build_base="mine-devel:1")
    assert (recipe.base, recipe.build_base) == ("mine:1", "mine-devel:1")
    assert jetson_recipe("36.4.3", base="mine:1").build_base == "mine:1"


@pytest.mark.parametrize(
    ("l4t", "module", "word", "said"),
    [
        ("36.5.2", "", "has no image of its own", True),
        ("36.4.0", "", "has no image of its own", False),
        ("36.4.3", "p3701-0005", "nvidia-l4t-dla-compiler", True),
        ("36.4.3", "p3767-0005", "nvidia-l4t-dla-compiler", True),  # an Orin Nano: no DLA, the same library
        ("36.4.3", "p3701-0005", "-igpu", True),
        ("36.3.0", "p3701-0005", "-igpu", False),
        ("39.2.1", "p3701-0005", "SBSA", True),
        ("39.2.1", "p3701-0005", "no DLA", True),
        ("39.2.1", "p3767-0005", "no DLA", False),
        ("38.4.0", "p3834-0008", "SBSA", True),
        ("38.4.0", "p3834-0008", "DLA", False),
    ],
)
def test_what_follows_from_the_image_is_said(l4t, module, word, said):
    assert any(word in note for note in jetson_recipe(l4t, module=module).notes) is said


@pytest.mark.parametrize("missing", [{"base": ""}, {"python": ""}])
def test_nothing_is_guessed_for_a_plain_machine(missing):
    given = {"base": "b:1", "python": "3.11", "arch": "x86_64"}
    with pytest.raises(BadInput):
        plain_recipe(CPU, **{**given, **missing})
    assert plain_recipe(CPU, **given).base == "b:1"


@pytest.mark.parametrize(
    "tag", [jetson_recipe("36.4.3").tag, plain_recipe(CONTROLLER, base="b", python="3.11", arch="x86_64").tag]
)
def test_no_tag_moves(tag):
    assert ":" in tag
    assert "latest" not in tag


def test_a_build_has_no_network_unless_packages_are_named(tmp_path):
    recipe = jetson_recipe("36.4.3")
    words = build_command(recipe, "docker", dockerfile=tmp_path / "D", context=tmp_path)
    assert f"BASE_IMAGE={TRT10}" in words
    assert f"BUILD_IMAGE={R364}" in words
    assert words[words.index("--network") + 1] == "none"
    named = build_command(recipe, "podman", dockerfile=tmp_path / "D", context=tmp_path, apt=["g++=1", "python3-dev=2"])
    assert "--network" not in named
    assert "APT_PACKAGES=g++=1 python3-dev=2" in named
    assert named[2:4] == ["--format", "docker"]  # else podman drops the health check


@pytest.mark.parametrize("package", ["g++", "g++=", "=1", "g++=1 curl=2", "--yes=1"])
def test_a_package_without_its_version_is_refused(package):
    with pytest.raises(BadInput):
        check_choices(engine="docker", arch="aarch64", apt=[package])
    check_choices(engine="docker", arch="aarch64", apt=["g++=4:11.2.0-1ubuntu1"])


def test_what_runs_is_confined_and_asks_for_the_runtime_first():
    script = run_script(jetson_recipe("36.4.3"), "docker")
    run = script.splitlines()[-1]
    assert script.index("docker info") < script.index("--runtime=nvidia")
    for option in (
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--user 10001:10001",
        "--pull=never",
    ):
        assert option in run
    assert "--gpus " not in run
    assert "--privileged" not in script
    assert "JETFLEET_JOIN_TOKEN" not in run
    assert "getent group video render i2c" in script
    assert "nvidia" not in run_script(plain_recipe(CPU, base="b", python="3.11", arch="x86_64"), "docker")


def test_a_board_s_container_is_confined_as_the_unit_of_agent_install_has_it():
    """Two ways to start the same container: pasted, or by `agent install --container`."""
    run = run_script(jetson_recipe("36.4.3"), "docker").replace("--user ", "--user=").replace("--tmpfs ", "--tmpfs=")
    unit = run_options(BoardHost(python="", engine="docker", has_nvidia_runtime=True, present=frozenset(SHARED_FILES)))
    # Where only docker is, there is neither a helper nor a unit to speak to.
    own = (
        "--rm",
        "--name=",
        "--user=",
        "--env",
        "--log-driver=",
        "--volume=/var/lib/jetfleet",
        "--volume=/run/jetfleet",
        "--group-add=",
    )
    for option in unit:
        if not option.startswith(own):
            assert option.removeprefix("--volume=").removesuffix(":ro") in run


def test_an_archive_is_of_the_kind_that_both_engines_load(tmp_path):
    words = save_command(jetson_recipe("36.4.3"), "podman", tmp_path / "a.tar")
    assert "docker-archive" in words
    assert words[-1].startswith("localhost/jetfleet-agent:")
