"""ONNX Runtime's engine as one file that needs no other, wherever the model kept its weights.

A model whose weights lie beside it is saved with all of them inside. What one protobuf cannot hold, or an ONNX Runtime
that knows no other way, becomes an archive of the graph and its weights, unpacked while it is loaded.
"""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnxruntime

# A protobuf ends at 2 GiB, and optimising adds to a graph: layouts, folded constants.
LARGEST_EMBEDDED_BYTES = 3 << 29
_GRAPH, _WEIGHTS = "graph.onnx", "weights.bin"
_ARCHIVE_BEGINS = b"PK\x03\x04"  # a serialised graph never does
_SMALLEST_OUTSIDE_BYTES = "1024"  # shapes and the like stay inside, where the loader needs them


@contextmanager
def written(out: Path, options: onnxruntime.SessionOptions, data: Mapping[str, Path]) -> Iterator[None]:
    """Makes a session that is opened within it write its graph to `out`; `data` is what lies beside the model."""
    if not data:
        options.optimized_model_filepath = str(out)
        yield
    elif _total_bytes(data) <= LARGEST_EMBEDDED_BYTES and _takes_data_from_memory(options):
        options.optimized_model_filepath = str(out)
        held = {name: path.read_bytes() for name, path in data.items() if path.stat().st_size}
        options.add_external_initializers_from_files_in_memory(
            list(held), list(held.values()), list(map(len, held.values()))
        )
        yield
    else:
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            options.optimized_model_filepath = str(Path(folder) / _GRAPH)
            prefix = "session.optimized_model_external_initializers"
            options.add_session_config_entry(f"{prefix}_file_name", _WEIGHTS)
            options.add_session_config_entry(f"{prefix}_min_size_in_bytes", _SMALLEST_OUTSIDE_BYTES)
            yield
            _pack(Path(folder), out)


@contextmanager
def opened(engine: Path) -> Iterator[Path]:
    """The graph of an engine, which a session may be made of within it."""
    with engine.open("rb") as file:
        archived = file.read(len(_ARCHIVE_BEGINS)) == _ARCHIVE_BEGINS
    if not archived:
        yield engine
        return
    with tempfile.TemporaryDirectory(dir=engine.parent) as folder, zipfile.ZipFile(engine) as archive:
        for name in (_GRAPH, _WEIGHTS):
            archive.extract(name, folder)
        yield Path(folder) / _GRAPH


def _total_bytes(data: Mapping[str, Path]) -> int:
    return sum(path.stat().st_size for path in data.values())


def _takes_data_from_memory(options: onnxruntime.SessionOptions) -> bool:
    return hasattr(options, "add_external_initializers_from_files_in_memory")


def _pack(folder: Path, out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in (_GRAPH, _WEIGHTS):
            archive.write(folder / name, name)
