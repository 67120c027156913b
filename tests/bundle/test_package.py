"""What is packaged, and on what: only VALID rows, and the base of the board's own L4T."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path, PurePath

import pytest
import yaml

from controller.bundle.content import budget_of, bundle_name, check_row
from controller.bundle.deploy import deploy_files, recipe_for
from controller.image.recipe import CPU, JETSON, ImageRecipe
from controller.model.result import Estimate, Flag, FlagKind, Row
from jetfleet.bundle import Manifest
from jetfleet.errors import BadInput
from jetfleet.releases import RELEASES
from jetfleet.version import VERSION
from testing import measurements

ORIN = {"arch": "aarch64", "sku": "orin-nano-8gb", "module": "p3767-0003"}


def jetson(l4t: str) -> Row:
    made = measurements.row(facts={**ORIN, "l4t": l4t}, variant="tensorrt-fp16-b1-gpu")
    return replace(made, runtime="tensorrt", placement="gpu", runtime_version="10.3.0")


def manifest(row: Row) -> Manifest:
    return Manifest(
        name=bundle_name(row),
        model=row.model_name,
        variant=row.variant_key,
        runtime=row.runtime,
        runtime_version=row.runtime_version,
        precision="fp16",
        placement=row.placement,
        batch=1,
        engine="e" * 64,
        device={},
        facts={key: str(value) for key, value in row.facts.items()},
        measurement={"p50_ms": 14.7},
        budget={"p50_ms": 16.0},
        made_at=datetime(2026, 11, 29, tzinfo=timezone.utc).isoformat(),
        made_by="jetfleet",
        files={},
    )


def texts_of(row: Row, recipe: ImageRecipe | None = None) -> dict[str, str]:
    found = deploy_files(manifest(row), recipe, "FROM stages\n")
    assert [item.path for item in found if re.search(r"\$\{?(name|unit|base|extras)\b(?!=)", item.text)] == [
        "deploy/install.sh"  # whose own variables are called so, too
    ]
    return {item.path: item.text for item in found}


JP5 = "not supported"
NO_IMAGE = "no image is known"
TRT8, TRT10 = "l4t-tensorrt:r8.6.2-runtime", "l4t-tensorrt:r10.3.0-runtime"
THOR, SBSA = "tensorrt:25.08-py3", "tensorrt:26.05-py3"
# Base, what is compiled on and Python, by NVIDIA's release notes; or why there is no image.
TABLE = {
    **dict.fromkeys(("35.1.0", "35.2.1", "35.3.1", "35.4.1", "35.5.0"), JP5),
    **dict.fromkeys(("35.6.0", "35.6.1", "35.6.2", "35.6.3", "35.6.4", "35.6.5"), JP5),
    "36.2.0": (TRT8, "l4t-jetpack:r36.2.0", "3.10"),
    "36.3.0": (TRT8, "l4t-jetpack:r36.3.0", "3.10"),
    **dict.fromkeys(("36.4.0", "36.4.2", "36.4.3", "36.4.4", "36.4.7"), (TRT10, "l4t-jetpack:r36.4.0", "3.10")),
    **dict.fromkeys(("36.5.0", "36.5.2"), (TRT10, "l4t-jetpack:r36.4.0", "3.10")),
    **dict.fromkeys(("38.2.0", "38.2.1", "38.2.2", "38.4.0"), (THOR, THOR, "3.12")),
    "39.0.0": NO_IMAGE,
    **dict.fromkeys(("39.2.0", "39.2.1"), (SBSA, SBSA, "3.12")),
    "39.2.2": NO_IMAGE,
}


def test_the_table_is_whole() -> None:
    assert list(TABLE) == list(RELEASES)


@pytest.mark.parametrize("l4t", TABLE)
def test_every_release_has_its_own_base_or_is_refused(l4t: str) -> None:
    row, wanted = jetson(l4t), TABLE[l4t]
    if isinstance(wanted, str):
        with pytest.raises(BadInput, match=wanted) as caught:
            recipe_for(row)
        assert l4t in caught.value.message
        return
    base, build_base, python = wanted
    recipe = recipe_for(row)
    assert (recipe.python, recipe.arch, recipe.dockerfile) == (python, "aarch64", JETSON)
    texts = texts_of(row, recipe)
    build = texts["image/build.sh"]
    assert f'BASE_IMAGE="${{BASE_IMAGE:-nvcr.io/nvidia/{base}}}"' in build
    assert f'BUILD_IMAGE="${{BUILD_IMAGE:-nvcr.io/nvidia/{build_base}}}"' in build
    assert f"ARG AGENT_IMAGE=localhost/jetfleet-agent:{VERSION}-l4t{l4t}\n" in texts["image/Dockerfile"]
    (service,) = yaml.safe_load(texts["deploy/compose.yaml"])["services"].values()
    assert (service["runtime"], len(service["group_add"]), service["volumes"][1:]) == ("nvidia", 2, BOARD_FILES)
    sbsa = [note for note in recipe.notes if "SBSA" in note]
    assert bool(sbsa) == (base in (SBSA, THOR))
    assert all(note in texts["README.md"] for note in recipe.notes)


@pytest.mark.parametrize("l4t", [release for release, found in TABLE.items() if found == NO_IMAGE])
def test_a_release_without_an_image_takes_one_that_somebody_names(l4t: str) -> None:
    build = texts_of(jetson(l4t), recipe_for(jetson(l4t), base="mine:1", build_base="mine-devel:1"))["image/build.sh"]
    assert "BASE_IMAGE:-mine:1}" in build
    assert "BUILD_IMAGE:-mine-devel:1}" in build


@pytest.mark.parametrize("l4t", TABLE)
def test_every_release_is_installed_natively_too(l4t: str) -> None:
    texts = texts_of(jetson(l4t))
    assert sorted(texts) == ["README.md", "deploy/install.sh", f"deploy/{UNIT}.service"]
    assert '"${package}[agent,cuda]"' in texts["deploy/install.sh"]  # TensorRT is the board's own, from apt
    assert "as a container" not in texts["README.md"]


BOARD_FILES = ["/sys/firmware:/host/sys/firmware:ro", "/var/lib/dpkg/status:/host/var/lib/dpkg/status:ro"]
UNIT = "jetfleet-bundle-mlp-tensorrt-fp16-b1-gpu"


def cpu(*, placement: str = "cpu", pipeline: str = "", **facts: str) -> Row:
    made = measurements.row(facts={"arch": "x86_64", "python": "3.11.2", **facts})
    circumstances = {"pipeline": pipeline} if pipeline else {}
    measurement = replace(made.measurement, circumstances=circumstances)
    return replace(made, placement=placement, measurement=measurement)


def test_a_bundle_for_a_cpu_is_built_on_a_base_that_somebody_names() -> None:
    recipe = recipe_for(cpu(), base="debian:12")
    assert (recipe.dockerfile, recipe.base, recipe.python) == (CPU, "debian:12", "3.11")
    (service,) = yaml.safe_load(texts_of(cpu(), recipe)["deploy/compose.yaml"])["services"].values()
    assert not {"runtime", "group_add"} & set(service)


def test_a_cpus_bundle_of_a_jetson_has_its_runtime_in_the_image() -> None:
    recipe = recipe_for(cpu(arch="aarch64", l4t="36.4.3", python="3.12.1"))
    assert (recipe.dockerfile, recipe.extras) == (CPU, ("agent", "onnxruntime"))
    assert (recipe.base, recipe.python) == (f"nvcr.io/nvidia/{TRT10}", "3.10")


def test_what_no_image_is_made_for_is_deployed_natively() -> None:
    for row in (cpu(placement="gpu"), cpu(placement="gpu", l4t="36.4.3"), replace(jetson(""), placement="gpu")):
        with pytest.raises(BadInput, match="no image is known"):
            recipe_for(row)


def test_the_image_of_a_job_with_steps_has_the_image_library() -> None:
    recipe = recipe_for(cpu(pipeline="decode -> nothing"), base="debian:12")
    assert (recipe.extras[-1], recipe.tag[-9:]) == ("pipeline", "-pipeline")


@pytest.mark.parametrize(
    ("row", "extras"),
    [
        (cpu(), "agent,onnxruntime"),
        (cpu(placement="gpu"), "agent,onnxruntime-gpu"),
        (jetson("36.4.3"), "agent,cuda"),
        (replace(cpu(), runtime="tensorrt", placement="gpu"), "agent,tensorrt,cuda"),
        (replace(cpu(), runtime="tensorrt_rtx", placement="gpu"), "agent,tensorrt-rtx,cuda"),
        (replace(cpu(), runtime="simulated"), "agent"),
    ],
)
def test_pip_installs_what_the_runtime_needs(row: Row, extras: str) -> None:
    assert f'"${{package}}[{extras}]"' in texts_of(row)["deploy/install.sh"]


@pytest.mark.parametrize("name", ["Mine", "a b", "-a", "a.b", "a--b", "ä", "../x", "a" * 101])
def test_a_name_that_is_none_for_an_image_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="not a valid name"):
        bundle_name(cpu(), name)


def test_a_bundle_is_named_by_model_and_variant_or_as_asked() -> None:
    row = replace(cpu(), model_name="Ärger..v1.5_x")
    assert bundle_name(row) == "rger-v1-5-x-onnxruntime-fp32-b1-cpu"
    assert bundle_name(row, "mine_2-b") == "mine_2-b"
    assert len(bundle_name(replace(row, model_name="m" * 300))) == 100


def test_a_row_that_is_not_valid_is_not_shipped() -> None:
    row = measurements.row(flags=(Flag(FlagKind.THROTTLED, "it was hot"),))
    with pytest.raises(BadInput, match="measurement 7 is THROTTLED: it was hot"):
        check_row(row)


def test_the_budget_is_the_winners_with_a_tenth_or_what_was_asked() -> None:
    row = measurements.row(p50_ms=Estimate(10.0, 9.9, 10.1), p99_ms=Estimate(12.0))
    assert budget_of(row, {}) == {"p50_ms": 11.11, "p99_ms": 13.2}
    assert budget_of(row, {"p99_ms": 33.0}) == {"p99_ms": 33.0}
    with pytest.raises(BadInput, match="there is no metric 'speed'"):
        budget_of(row, {"speed": 1.0})


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), -3.0, 0.0])
def test_a_limit_that_nothing_can_be_held_against_is_refused(limit: float) -> None:
    with pytest.raises(BadInput, match="not a valid limit"):
        budget_of(measurements.row(), {"p50_ms": limit})


NO_IMAGES = ("$(touch x)", "x; rm", "x y", "a`id`", 'a"b', "a\nb", "A/B", "a:", "a@sha256:12", "-v", "a" * 600, "ä")


@pytest.mark.parametrize("image", NO_IMAGES)
def test_what_is_not_an_image_reaches_no_script(image: str) -> None:
    with pytest.raises(BadInput, match="not a valid image"):
        recipe_for(cpu(), base=image)
    with pytest.raises(BadInput, match="not a valid image"):
        recipe_for(jetson("36.4.3"), build_base=image)


@pytest.mark.parametrize("image", ["a", "debian:12", "localhost:5000/a/b-c__d:1.2_x", f"nvcr.io/n/v@sha256:{'0' * 64}"])
def test_references_of_images_are_taken(image: str) -> None:
    assert recipe_for(cpu(), base=image).base == image


@pytest.mark.parametrize("python", ["2.7", "3.9", "3", "3.11.2", "3.x", "$(id)", "3.11\n"])
def test_what_is_not_a_python_of_an_agent_is_refused(python: str) -> None:
    for row in (cpu(), jetson("36.4.3")):
        with pytest.raises(BadInput, match="not a Python"):
            recipe_for(row, base="debian:12", python=python)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    for item in deploy_files(manifest(cpu()), recipe_for(cpu()), "FROM stages\n"):
        path = tmp_path / "bundle" / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(item.text)
        path.chmod(0o755 if item.executable else 0o644)
    return tmp_path / "bundle"


@pytest.mark.parametrize("row", [cpu(), jetson("36.4.3")])
def test_scripts_are_valid_shell(row: Row, tmp_path: Path) -> None:
    scripts = [item for item in deploy_files(manifest(row), recipe_for(row), "FROM stages\n") if item.executable]
    assert len(scripts) == 2
    for item in scripts:
        (tmp_path / "script").write_text(item.text)
        subprocess.run(["sh", "-n", str(tmp_path / "script")], check=True)


def build(bundle: Path, **env: str) -> tuple[int, str, str]:
    """build.sh with an engine that has no image and does what it is told."""
    engine = bundle.parent / "engine"
    engine.write_text('#!/bin/sh\n[ "$1" != image ] || exit 1\necho "$@"\n')
    engine.chmod(0o755)
    done = subprocess.run(
        [bundle / "image/build.sh"],
        env={"PATH": os.environ["PATH"], "ENGINE": str(engine), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_image_is_built_on_the_base_that_is_named_and_not_without(written: Path) -> None:
    assert "--wheelhouse" in build(written, BASE_IMAGE="debian:12")[2]
    (written / "image/wheelhouse").mkdir()
    (written / "image/wheelhouse/SHA256SUMS").write_text("")
    code, _, said = build(written)
    assert (code, "which image is built on?" in said, "Python 3.11" in said) == (2, True, True)
    code, said, _ = build(written, BASE_IMAGE="debian:12", TAG="mine:1")
    agent, bundle = said.splitlines()
    assert (code, "--build-arg BASE_IMAGE=debian:12" in agent) == (0, True)
    assert f"--build-arg AGENT_IMAGE=localhost/jetfleet-agent:{VERSION}-cpu --tag mine:1" in bundle


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("row", [cpu(), jetson("36.4.3")])
def test_the_unit_is_one_that_systemd_accepts(row: Row, tmp_path: Path) -> None:
    unit, text = next(item for item in texts_of(row).items() if item[0].endswith(".service"))
    path = tmp_path / PurePath(unit).name
    path.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if path.name in line] == []
