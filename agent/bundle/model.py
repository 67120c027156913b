"""A bundle as a library: checked, loaded, warm, and asked.

from agent.bundle.bodies import as_type
from agent.bundle.model import open_bundle

with open_bundle("bundle/") as model:
    outputs = model.infer({"image": array})
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from agent.attempt import AttemptDir
from agent.bundle.bodies import as_type
from agent.bundle.engine import OnMismatch, UsableEngine, rebuilt_engine, usable_engine
from agent.device.probe import ProbeOptions, probe_in_child
from agent.runtime.arrays import Tensor
from agent.runtime.base import DeviceFault
from agent.runtime.registry import open_runtime
from agent.work.subject import LoadedSubject, bound_inputs, load_and_check
from jetfleet.address import default_state_dir
from jetfleet.bundle import Manifest
from jetfleet.bundle_files import verify_files
from jetfleet.bundle_manifest import read_manifest
from jetfleet.bundle_signature import verify_signature
from jetfleet.errors import BadInput, JetfleetError, TaskFailed
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_REFERENCE_INPUT,
    ARTIFACT_ROLE_REFERENCE_OUTPUT,
    Subject,
    TensorSpec,
)

_log = logging.getLogger(__name__)

Self = TypeVar("Self", bound="BundleModel")

WARM_UP_INFERENCES = 10
_REFERENCE = (ARTIFACT_ROLE_REFERENCE_INPUT, ARTIFACT_ROLE_REFERENCE_OUTPUT)


def open_bundle(
    folder: Path | str,
    *,
    key: Path | None = None,
    on_mismatch: OnMismatch | str = OnMismatch.REBUILD,
    state: Path | None = None,
) -> "BundleModel":
    """The model of a bundle, ready: digests held, the machine compared, the engine loaded, its outputs right, warm.

    `key` is the public key that must have signed it. `on_mismatch` says what becomes of an engine that another kind of
    machine or another runtime built: "rebuild" makes it again from the ONNX, and keeps it in `state`. Raises Corrupt
    for a bundle that is damaged or not signed so, BadInput for one that may not run here, TaskFailed for wrong outputs.
    """
    path = Path(folder)
    manifest = check_bundle(path, key=key)
    facts = probe_in_child(ProbeOptions())
    store = (state or default_state_dir()) / "bundles"
    policy = OnMismatch(on_mismatch)
    engine = usable_engine(path, manifest, facts, state=store, on_mismatch=policy)
    try:
        return BundleModel(manifest, engine)
    except (BadInput, DeviceFault, TaskFailed) as error:
        if engine.rebuilt:
            raise
        # The facts agree, and the runtime does not take it, or computes something else with it: its word counts.
        reason = error.message if isinstance(error, TaskFailed) else f"it does not load: {error.message}"
    engine = rebuilt_engine(path, manifest, facts, [reason], state=store, on_mismatch=policy)
    return BundleModel(manifest, engine)


def check_bundle(folder: Path, *, key: Path | None = None) -> Manifest:
    """Its manifest, where signature (if a key is given) and digests hold. Raises BadInput, Corrupt."""
    if key is not None:
        verify_signature(folder, key)  # before anything that the manifest says is believed
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    return manifest


class BundleModel:
    """A loaded model. Safe to call from several threads: inferences stand in line, in one thread of their own."""

    def __init__(self, manifest: Manifest, engine: UsableEngine) -> None:
        self.manifest = manifest
        self.engine = engine
        self.rebuilt = engine.rebuilt
        self._subject = _engine_alone(engine.bench.bench.subjects[0])
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        try:
            self._loaded = self._thread.submit(self._load, engine).result()
        except BaseException:
            self._thread.shutdown()
            raise

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """What `infer` wants, by name."""
        return {spec.name: spec for spec in self._subject.inputs}

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name. Raises BadInput for inputs that are missing, too many, or of another type or shape, and
        TaskFailed where the runtime fails.
        """
        arrays = self._checked(inputs)
        try:
            return self._thread.submit(self._infer, arrays).result()
        except JetfleetError:
            raise
        except Exception as error:  # a runtime's own kinds; it may do the next one all the same
            raise TaskFailed(
                f"the inference failed: {type(error).__name__}: {error}", where=self.manifest.name
            ) from error

    def close(self) -> None:
        self._thread.submit(self._loaded.session.close).result()
        self._thread.shutdown()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, engine: UsableEngine) -> LoadedSubject:
        located = AttemptDir(engine.blobs)
        located.blobs = engine.blobs
        loaded = load_and_check(open_runtime(self._subject.runtime), self._subject, located, _report)
        if loaded.is_wrong:
            loaded.session.close()
            wrong = "; ".join(flag.evidence for flag in loaded.flags)
            raise TaskFailed(f"the engine computes something else here: {wrong}", where=self.manifest.name)
        loaded.session.bind(bound_inputs(self._subject, located))
        for _ in range(WARM_UP_INFERENCES):
            loaded.session.infer()
        loaded.session.outputs()
        return loaded

    def _infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        session = self._loaded.session
        session.bind(inputs)
        session.infer()
        return session.outputs()

    def _checked(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        wanted = self.inputs
        wrong = [f"{name}: missing" for name in wanted if name not in inputs]
        wrong += [f"{name}: not an input" for name in inputs if name not in wanted]
        found: dict[str, Tensor] = {}
        for name in wanted.keys() & inputs.keys():
            array, spec = np.asarray(inputs[name]), wanted[name]
            if array.shape != tuple(spec.shape):
                wrong.append(f"{name}: shape {list(array.shape)} is not {list(spec.shape)}")
            elif not np.can_cast(array.dtype, np.dtype(spec.dtype), casting="same_kind"):
                wrong.append(f"{name}: {array.dtype} is not {spec.dtype}")
            else:
                try:
                    found[name] = as_type(name, array, np.dtype(spec.dtype))
                except BadInput as error:
                    wrong.append(f"{name}: {error.message}")
        if wrong:
            takes = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in wanted.values())
            raise BadInput("; ".join(sorted(wrong)), where="inputs", expected=takes)
        return found


def _engine_alone(measured: Subject) -> Subject:
    """What is served: tensors in, tensors out. Steps around the engine, and a user's functions, are the benchmark's."""
    subject = Subject()
    subject.CopyFrom(measured)
    subject.ClearField("pipeline")
    subject.ClearField("accuracy_metrics")
    kept = [item for item in measured.artifacts if item.role in _REFERENCE]
    del subject.artifacts[:]
    subject.artifacts.extend(kept)
    return subject


def _report(phase: str, share: float | None, detail: str) -> None:
    _log.debug("%s %s", phase, detail)
