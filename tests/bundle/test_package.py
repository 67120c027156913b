"""What is packaged, and on what: only VALID rows, and the base of the board's own L4T."""

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from controller.bundle.content import budget_of, bundle_name, check_row
from controller.bundle.deploy import deploy_files, recipe_for
from controller.model.result import Estimate, Flag, FlagKind, Row
from jetfleet.bundle import Manifest
from jetfleet.errors import BadInput
from jetfleet.releases import RELEASES
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


@pytest.mark.parametrize("l4t", RELEASES)
def test_every_release_has_its_own_base_or_is_refused(l4t: str) -> None:
    row, release = jetson(l4t), RELEASES[l4t]
    if not release.base_image or release.tensorrt.startswith(("8.4", "8.5")):
        with pytest.raises(BadInput, match=l4t):
            recipe_for(row)
        return
    recipe = recipe_for(row)
    texts = {item.path: item.text for item in deploy_files(manifest(row), recipe, "FROM stages\n")}
    assert f"nvcr.io/nvidia/{release.base_image}" in texts["image/build.sh"]
    assert f"nvcr.io/nvidia/{release.build_image}" in texts["image/build.sh"]
    assert f"l4t{l4t}" in texts["image/Dockerfile"]
    assert "runtime: nvidia" in texts["deploy/compose.yaml"]
    assert not any("$" + "{" + "name" in text for text in texts.values())


def test_a_row_that_is_not_valid_is_not_shipped() -> None:
    row = measurements.row(flags=(Flag(FlagKind.THROTTLED, "it was hot"),))
    with pytest.raises(BadInput, match="measurement 7 is THROTTLED: it was hot"):
        check_row(row)


def test_the_budget_is_the_winners_with_a_tenth_or_what_was_asked() -> None:
    row = measurements.row(p50_ms=Estimate(10.0, 9.9, 10.1), p99_ms=Estimate(12.0))
    assert budget_of(row, {}) == {"p50_ms": 11.11, "p99_ms": 13.2}
    assert budget_of(row, {"p99_ms": 33.0}) == {"p99_ms": 33.0}
    with pytest.raises(BadInput, match="'speed' is not something to keep"):
        budget_of(row, {"speed": 1.0})


def test_scripts_are_valid_shell(tmp_path: Path) -> None:
    import subprocess

    for item in deploy_files(manifest(jetson("36.4.3")), recipe_for(jetson("36.4.3")), "FROM stages\n"):
        if item.executable:
            (tmp_path / "script").write_text(item.text)
            subprocess.run(["sh", "-n", str(tmp_path / "script")], check=True)
