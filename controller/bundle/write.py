"""Writes a bundle: the files of its tasks from the controller, what deploys it, and last the manifest."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from controller.api.control_client import ControlClient
from controller.bundle.content import budget_of, bundle_name, check_row, manifest_of
from controller.bundle.deploy import DeployFile, deploy_files
from controller.image.recipe import ImageRecipe
from controller.image.source import docker_file
from controller.image.wheelhouse import make_wheelhouse
from controller.model.job import Artifact, Role
from controller.model.result import Row
from jetfleet.blobs import sha256_file
from jetfleet.bundle import BENCH, BUILD, FILES, MANIFEST, SIGNATURE, SUMS, Manifest, manifest_text
from jetfleet.bundle_signature import sign
from jetfleet.errors import BadInput
from jetfleet.plural import counted

Say = Callable[[str], None]

# Inputs and labels of an evaluation are large and nobody's business on a target; its accuracy stays in the manifest.
_LEFT_OUT = frozenset({Role.EVALUATION_INPUT, Role.EVALUATION_LABELS})


@dataclass(frozen=True)
class BundleOptions:
    """`recipe` None: no image. `wheelhouse`: with all packages, for a machine without internet."""

    budget: Mapping[str, float]
    recipe: ImageRecipe | None
    wheelhouse: bool = False
    key: Path | None = None
    name: str = ""


def write_bundle(client: ControlClient, row: Row, folder: Path, options: BundleOptions, say: Say) -> Manifest:
    """All of it or nothing. Raises BadInput for a row that is not VALID, a folder with something else in it, a budget
    that is none.
    """
    check_row(row)
    name = bundle_name(row, options.name)
    budget = budget_of(row, options.budget)
    place = folder.resolve()
    _check_replaceable(place)
    engine = client.engine(row.engine_key)
    provisional = manifest_of(row, engine, name=name, budget=budget, files={}, now=datetime.now(timezone.utc))
    beside = place.with_name(f".{place.name}.{uuid4().hex[:8]}")
    try:
        (beside / FILES).mkdir(parents=True)
        _write_tasks(client, row, beside, say)
        _write_deployment(provisional, beside, options, say)
        manifest = seal(beside, provisional, options.key)
        _put_in_place(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def _check_replaceable(folder: Path) -> None:
    """An earlier bundle is replaced; anything else is somebody's."""
    is_other = folder.exists() and not folder.is_dir()
    if is_other or (folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file()):
        raise BadInput("the folder holds other files", where=str(folder), expected="a new or an empty one, or a bundle")


def _put_in_place(made: Path, place: Path) -> None:
    """By renames. The earlier bundle goes last."""
    earlier = made.with_name(f"{made.name}.earlier")
    if place.exists():
        place.rename(earlier)
    made.rename(place)
    shutil.rmtree(earlier, ignore_errors=True)


def _write_deployment(provisional: Manifest, folder: Path, options: BundleOptions, say: Say) -> None:
    dockerfile = docker_file(options.recipe.dockerfile).read_text(encoding="utf-8") if options.recipe else ""
    for item in deploy_files(provisional, options.recipe, dockerfile):
        _write(folder, item)
    if options.recipe is not None and options.wheelhouse:
        make_wheelhouse(options.recipe, folder / "image" / "wheelhouse", say)


def _write_tasks(client: ControlClient, row: Row, folder: Path, say: Say) -> None:
    """Both tasks as `agent once` reads them, and the files that they need."""
    bench = client.task_file(task_id=row.task_id)
    build = client.task_file(engine_key=row.engine_key)
    (folder / BENCH).write_text(_without_evaluation(bench.text), encoding="utf-8")
    (folder / BUILD).write_text(build.text, encoding="utf-8")
    wanted: dict[str, Artifact] = {item.sha256: item for item in (*bench.files, *build.files)}
    kept = [item for item in wanted.values() if item.role not in _LEFT_OUT]
    say(f"{counted(len(kept), 'file')}, {sum(item.size_bytes for item in kept) / 1e6:.1f} MB")
    for item in kept:
        client.download(item.sha256, folder / FILES / item.sha256)


def _without_evaluation(text: str) -> str:
    document = json.loads(text)
    names = {f"ARTIFACT_ROLE_{role.name}" for role in _LEFT_OUT}
    for subject in document["bench"]["subjects"]:
        subject["artifacts"] = [item for item in subject.get("artifacts", []) if item["role"] not in names]
    return json.dumps(document, indent=2) + "\n"


def _write(folder: Path, item: DeployFile) -> None:
    path = folder / item.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(item.text, encoding="utf-8")
    path.chmod(0o755 if item.executable else 0o644)


def seal(folder: Path, provisional: Manifest, key: Path | None) -> Manifest:
    """The manifest of all that is in the folder, signed. The list is for sha256sum, where there is no agent yet."""
    sums = "".join(f"{sha256}  {name}\n" for name, sha256 in _digests(folder))
    (folder / SUMS).write_text(sums, encoding="utf-8")
    manifest = replace(provisional, files=dict(_digests(folder)))
    (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
    if key is not None:
        sign(folder, key)
    return manifest


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Of everything but the manifest and its signature."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (MANIFEST, SIGNATURE):
            yield name, sha256_file(path)
