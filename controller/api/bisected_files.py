"""The graphs of a variant and its reference inputs, fetched for a bisection."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from controller.api.control_client import ControlClient
from controller.model.job import Artifact, Role, Variant
from jetfleet.errors import BadInput


def graph_of(variant: Variant, roles: set[Role]) -> list[Artifact]:
    """The first graph of one of these roles, with all external data, of which it reads its own; empty: none."""
    graphs = [item for item in variant.artifacts if item.role in roles]
    data = [item for item in variant.artifacts if item.role is Role.MODEL_DATA]
    return [graphs[0], *data] if graphs else []


def reference_graph(variant: Variant, others: Sequence[Variant]) -> list[Artifact]:
    """FP32's, with its data: the variant's own, or that of another one; empty: none."""
    return next((found for item in (variant, *others) if (found := graph_of(item, {Role.MODEL_FP32}))), [])


def fetch_files(client: ControlClient, files: Sequence[Artifact], folder: Path) -> list[Path]:
    """Each by the name that its graph knows it by. Raises BadInput for one that leaves the folder."""
    paths = []
    for item in _safely_named(files):
        path = folder / item.name
        path.parent.mkdir(parents=True, exist_ok=True)
        client.download(item.sha256, path)
        paths.append(path)
    return paths


def fetch_inputs(client: ControlClient, variant: Variant, folder: Path) -> Mapping[str, Path]:
    """The reference inputs, by the names of the tensors."""
    found = {}
    for index, item in enumerate(item for item in variant.artifacts if item.role is Role.REFERENCE_INPUT):
        found[item.name] = folder / f"input-{index}.npy"
        client.download(item.sha256, found[item.name])
    return found


def _safely_named(files: Sequence[Artifact]) -> Iterator[Artifact]:
    for item in files:
        path = PurePosixPath(item.name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise BadInput(f"{item.name!r} is not a valid name of a file inside a folder")
        yield item
