"""Where a variant leaves FP32 on a device: engines with one more output each, built and run there by jobs."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from controller.analysis.first_divergence import first_wrong
from controller.api.bisected_files import fetch_files, fetch_inputs, reference_graph
from controller.api.bisection import asked_variants
from controller.api.control_client import ControlClient
from controller.intake.find_divergence import find_suspects, mark
from controller.model.divergence import Bisection, Divergence, LayerJudgement, Suspect
from controller.model.facts import DEVICE_NAME
from controller.model.job import (
    GRAPH_DATA,
    Artifact,
    CheckRule,
    Condition,
    JobSpec,
    Measure,
    Op,
    OutputCheck,
    Quantifier,
    Role,
    Target,
    Variant,
)
from controller.model.result import TensorCheck
from controller.model.view import ResultQuery
from jetfleet.blobs import sha256_file
from jetfleet.errors import BadInput, JetfleetError
from jetfleet.outputs.labels import names_in

_GRAPHS = frozenset({Role.MODEL_FP32, *GRAPH_DATA})
_KEPT = _GRAPHS | {Role.MODEL_DATA, Role.CALIBRATION, Role.REFERENCE_INPUT, Role.REFERENCE_OUTPUT}
# A probe that answers rightly is timed all the same: as short as it can be.
_BRIEFLY = Measure(warmup_s=0.0, min_s=0.01, max_s=0.05, runs=1)


def bisect_on_device(
    client: ControlClient, job_id: int, device: str, variant: str = "", *, progress: Callable[[str], None]
) -> list[Bisection]:
    """One for each fp16 and int8 variant, or the named one, of any precision. Raises NotFound, BadInput."""
    spec = client.job_spec(job_id)
    asked = asked_variants(job_id, spec.variants, variant)
    return [_bisect(client, job_id, spec, item, device, progress) for item in asked]


def _bisect(
    client: ControlClient, job_id: int, spec: JobSpec, variant: Variant, device: str, progress: Callable[[str], None]
) -> Bisection:
    reference = reference_graph(variant, spec.variants)
    if variant.refusal or not reference:
        why = f"it was refused: {variant.refusal}" if variant.refusal else _NO_FP32
        return Bisection(variant.key, reason=why, device=device)
    with tempfile.TemporaryDirectory(prefix="jetfleet-bisect-") as folder:
        probes = _Probes(client, _probing(spec, variant, device, job_id), progress)
        try:
            return _search(client, probes, reference, Path(folder))
        except JetfleetError as error:
            return Bisection(variant.key, reason=str(error), device=device, jobs=tuple(probes.jobs))


_NO_FP32 = "no variant of the job carries the FP32 graph: submit it with fp32 beside"


@dataclass
class _Probes:
    """Jobs of one variant on one device, one after another; `jobs` are their numbers."""

    client: ControlClient
    spec: JobSpec
    progress: Callable[[str], None]
    jobs: list[int] = field(default_factory=list)

    @property
    def variant(self) -> Variant:
        return self.spec.variants[0]

    @property
    def device(self) -> str:
        return self.spec.targets[0].conditions[0].values[0]

    def run(self, variant: Variant, files: Mapping[str, Path], what: str) -> tuple[TensorCheck, ...]:
        """How its outputs were judged there. Raises BadInput where it was not built or not run."""
        spec = replace(self.spec, variants=(variant,), name=f"{self.spec.name}: {what}")
        job_id = self.client.submit_spec(spec, files).job_id
        self.jobs.append(job_id)
        self.progress(f"{variant.key} on {self.device}: {what}: job {job_id}")
        try:
            ended = self.client.wait(job_id)
        except BaseException:  # whoever gives up waiting wants no more of it
            self.client.cancel(job_id)
            raise
        rows = self.client.results(ResultQuery(job_ids=(job_id,)))
        checks = next((row.measurement.checks for row in rows if row.measurement.checks), ())
        if not checks:
            said = next((task.failure.message for task in ended.tasks if task.failure), "no output was checked")
            raise BadInput(f"job {job_id} ({what}) {ended.state.value}: {said}", hint=f"controller job show {job_id}")
        return checks


def _search(client: ControlClient, probes: _Probes, reference: Sequence[Artifact], root: Path) -> Bisection:
    """Raises JetfleetError for what could not be built or run."""
    variant, device = probes.variant, probes.device
    plain = {check.tensor: check for check in probes.run(variant, {}, "its outputs as they are")}
    told = tuple(_judgement(Suspect(name, "", ""), check) for name, check in plain.items())
    wrong = next((name for name, check in plain.items() if not check.passed), None)
    if wrong is None:
        weak = "; ".join(f"{name}: {check.weakness}" for name, check in plain.items())
        why = f"its outputs could not show a fault: {weak}" if all(check.weakness for check in plain.values()) else ""
        agreed = None if why else Divergence(told)
        return Bisection(variant.key, agreed, reason=why, device=device, jobs=tuple(probes.jobs))
    graphs = [item for item in variant.artifacts if item.role in _GRAPHS]
    data = [item for item in variant.artifacts if item.role is Role.MODEL_DATA]
    paths = fetch_files(client, [*graphs, *data], root / "graphs")[: len(graphs)]
    fp32, inputs = fetch_files(client, reference, root / "fp32")[0], fetch_inputs(client, variant, root)
    suspects = find_suspects(fp32, paths, _names(wrong, variant))
    found: dict[str, TensorCheck] = {wrong: plain[wrong]}
    vanished: list[str] = []

    def is_right(tensor: str) -> bool:
        (folder := root / f"probe-{len(found)}").mkdir()
        made = mark(fp32, paths, inputs, tensor, folder)
        marked, files = _marked(variant, graphs, made.graphs, made.label, Path(made.reference))
        checks = {check.tensor: check for check in probes.run(marked, files, f"{tensor} as an output")}
        if made.label not in checks:
            raise BadInput(f"the engine has no output {made.label!r}", hint=f"controller job show {probes.jobs[-1]}")
        found[tensor] = checks[made.label]
        if wrong in checks and checks[wrong].passed:
            vanished.append(tensor)
        return found[tensor].passed

    first = first_wrong(suspects, wrong, is_right)
    by_name = {item.tensor: item for item in suspects}
    layer = by_name.get(first, Suspect(first, "", ""))
    before = tuple(_judgement(by_name[name], found[name]) for name in layer.reads if name in found)
    divergence = Divergence(told, _judgement(layer, found[first]), before, compared=len(found), tensors=len(suspects))
    return Bisection(variant.key, divergence, device=device, jobs=tuple(probes.jobs), vanished=tuple(vanished))


def _probing(spec: JobSpec, variant: Variant, device: str, job_id: int) -> JobSpec:
    """The job without what only a measurement needs, of that variant alone and for that device."""
    check = variant.check
    if check.rule is CheckRule.OFF:
        check = replace(check, rule=CheckRule.COSINE, outputs={}, sets=())
    bare = replace(
        variant,
        artifacts=tuple(item for item in variant.artifacts if item.role in _KEPT),
        check=check,
        accuracy_output="",
        accuracy_metrics=(),
        pipeline=None,
        settings={},
        repeat=0,
    )
    target = Target(Quantifier.EVERY, (Condition(DEVICE_NAME, Op.EQUALS, (device,)),))
    return replace(
        spec,
        name=f"bisect {job_id}",
        model_name=f"{spec.model_name}, bisected",  # by which histories, noise and comparisons leave probes aside
        variants=(bare,),
        targets=(target,),
        measure=_BRIEFLY,
        labels={**spec.labels, "bisect": str(job_id)},
        pairs=(),
    )


def _names(label: str, variant: Variant) -> list[str]:
    """The outputs that a judgement is of: one by its name, or a set of them."""
    outputs = [item.name for item in variant.artifacts if item.role is Role.REFERENCE_OUTPUT]
    return [label] if label in outputs else [name for name in names_in(label) if name in outputs]


def _marked(
    variant: Variant, graphs: Sequence[Artifact], paths: Sequence[str], label: str, reference: Path
) -> tuple[Variant, Mapping[str, Path]]:
    """The variant with the marked graphs in place of its own, and one more reference; and the files to upload."""
    files: dict[str, Path] = {}

    def put(role: Role, name: str, path: Path) -> Artifact:
        digest = sha256_file(path)
        files[digest] = path
        return Artifact(role, name, digest, path.stat().st_size)

    made = [put(item.role, item.name, Path(path)) for item, path in zip(graphs, paths, strict=True)]
    others = [item for item in variant.artifacts if item not in graphs]
    wanted = put(Role.REFERENCE_OUTPUT, label, reference)
    inside: OutputCheck = replace(variant.check, rule=CheckRule.COSINE, outputs={}, sets=())
    check = replace(variant.check, outputs={**variant.check.outputs, label: inside})
    return replace(variant, artifacts=(*made, *others, wanted), check=check), files


def _judgement(suspect: Suspect, found: TensorCheck) -> LayerJudgement:
    return LayerJudgement(
        tensor=suspect.tensor,
        layer=suspect.layer,
        op=suspect.op,
        passed=found.passed,
        cosine=found.cosine,
        max_abs=found.max_abs,
        detail=found.detail,
    )
