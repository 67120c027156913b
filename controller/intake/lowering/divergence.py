"""Where a lowered graph first answers something else than FP32: tensor by tensor, by the rules of outputs.

Lowering keeps the names of the FP32 graph's tensors, so that both can be asked for the same ones. Only what leads to an
output that fails is looked at, in the order of computation.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from controller.intake.graph.probe import Probe
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from controller.intake.lowering.comparison import rules_of
from controller.intake.lowering.seen_values import LARGEST, SMALLEST
from controller.model.divergence import Divergence, LayerJudgement
from controller.model.job import CheckRule, OutputCheck
from jetfleet.outputs.bounds import Bounds, Judgement, Rule
from jetfleet.outputs.judge import judge
from jetfleet.plural import are, counted

_AT_ONCE = 64  # tensors that are read whole in one run: each is held in memory


@dataclass(frozen=True)
class _Both:
    """The two graphs, and the inputs that both are given."""

    fp32: Path
    lowered: Path
    reference: onnx.ModelProto
    model: onnx.ModelProto
    inputs: Mapping[str, Array]

    def answers(self, names: Sequence[str]) -> Iterator[tuple[str, Array, Array]]:
        """Each tensor by its name, as the lowered graph has it and as FP32 has it."""
        for begin in range(0, len(names), _AT_ONCE):
            some = names[begin : begin + _AT_ONCE]
            want = asked(self.reference, self.fp32, some, self.inputs)
            got = asked(self.model, self.lowered, some, self.inputs)
            yield from ((name, got[name].astype(want[name].dtype), want[name]) for name in some)


def first_divergence(
    fp32: Path,
    lowered: Path,
    inputs: Mapping[str, Array],
    check: OutputCheck,
    *,
    progress: Callable[[str], None],
) -> Divergence:
    """Raises ModelError where one of the graphs does not run."""
    reference, model = (onnx.load(str(path), load_external_data=False) for path in (fp32, lowered))
    both = _Both(fp32, lowered, reference, model, inputs)
    bounds = _bounds(check)
    outputs = [item.name for item in reference.graph.output]
    progress(f"comparing {counted(len(outputs), 'output')} with FP32")
    judged = {name: judge(got, want, bounds) for name, got, want in both.answers(outputs)}
    told = tuple(_layer(reference, name, item) for name, item in judged.items())
    # A CPU carries half through a graph in float32: a value that half cannot hold shows where it is asked for.
    suspects = [item.tensor for item in told if not item.passed] or (outputs if _in_half(model) else [])
    tensors = list(leading_to(suspects, reference, model))
    progress(f"comparing {counted(len(tensors), 'tensor')} that lead to {', '.join(suspects) or 'nothing'}")
    before: list[LayerJudgement] = []
    for name, got, want in both.answers(tensors):
        found = _layer(reference, name, judge(got, want, bounds))
        if not found.passed:
            first = replace(found, reason=_reason(name, got, want, both))
            return Divergence(told, first, tuple(before[-3:]), compared=len(before) + 1, tensors=len(tensors))
        before.append(found)
    return Divergence(told, compared=len(before), tensors=len(tensors))


def with_first_layer(
    error: ModelError, fp32: Path, lowered: Path, inputs: Mapping[str, Array], check: OutputCheck
) -> ModelError:
    """The error of a graph that answers too far from FP32, with the layer at which that begins, where one is found."""
    try:
        first = first_divergence(fp32, lowered, inputs, check, progress=lambda line: None).first
    except ModelError:
        return error
    if first is None:
        return error
    why = f": {first.reason}" if first.reason else ""
    message = f"{error.message}; it begins at {first.op} {first.layer or first.tensor!r}{why}"
    return ModelError(message, steps=error.steps, where=error.where, expected=error.expected, hint=error.hint)


def _bounds(check: OutputCheck) -> Bounds:
    """Tensors inside of a graph have no rules of their own: the job's, as directions and lengths."""
    bounds = rules_of(replace(check, rule=CheckRule.COSINE, outputs={}, sets=())).bounds
    return replace(bounds, rule=Rule.COSINE)


def leading_to(outputs: Collection[str], reference: onnx.ModelProto, model: onnx.ModelProto) -> Iterator[str]:
    """Float tensors that both graphs make, in the order of FP32's nodes."""
    made = {name for node in model.graph.node for name in node.output}
    floats = _float_tensors(reference)
    wanted = set(outputs)
    kept: list[str] = []
    for node in reversed(reference.graph.node):
        if wanted.isdisjoint(node.output):
            continue
        wanted.update(node.input)
        kept += [name for name in reversed(node.output) if name in wanted and name in made & floats]
    yield from reversed(kept)


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    typed = onnx.shape_inference.infer_shapes(model) if model.ByteSize() < 1 << 31 else model
    items = (*typed.graph.value_info, *typed.graph.output)
    return {item.name for item in items if item.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}


def asked(model: onnx.ModelProto, path: Path, names: Sequence[str], inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    probe = Probe(model)
    for name in names:
        probe.ask(name, name)
    return probe.run(path, inputs)


def _layer(model: onnx.ModelProto, tensor: str, found: Judgement) -> LayerJudgement:
    node = next((item for item in model.graph.node if tensor in item.output), None)
    return LayerJudgement(
        tensor=tensor,
        layer=node.name if node is not None else "",
        op=node.op_type if node is not None else "",
        passed=found.passed,
        cosine=found.cosine,
        max_abs=found.max_abs,
        detail=found.detail,
    )


def _reason(name: str, got: Array, want: Array, both: _Both) -> str:
    """What the numbers say of the cause; empty where they say nothing."""
    finite = want[np.isfinite(want)]
    largest = float(np.abs(finite).max(initial=0.0))
    lost = int(np.sum(np.isfinite(want) & ~np.isfinite(got)))
    if lost:
        reached = f"FP32 reaches {largest:.4g}, half precision ends at {LARGEST:g}"
        return f"{lost} of {counted(want.size, 'value')} {are(lost)} not finite: {reached}"
    if 0 < largest < SMALLEST and _in_half(both.model):
        return f"FP32 stays below {largest:.2g}, where half precision has few bits left"
    return "; ".join(_coarse(name, both))


def _in_half(model: onnx.ModelProto) -> bool:
    half = onnx.TensorProto.FLOAT16
    casts = (item.i for node in model.graph.node for item in node.attribute if item.name == "to")
    return half in {*(item.data_type for item in model.graph.initializer), *casts}


def _coarse(name: str, both: _Both) -> Iterator[str]:
    """Quantised tensors that the layer reads, whose steps are large beside their values."""
    scales = _scales(both.model)
    maker = next(node for node in both.reference.graph.node if name in node.output)
    stored = [item for item in both.reference.graph.initializer if _inside(item)]
    weights = {item.name: onnx.numpy_helper.to_array(item) for item in stored}
    read = [item for item in maker.input if item in scales]
    made = [item for item in read if item not in weights and item not in both.inputs]
    values = {**weights, **both.inputs, **asked(both.reference, both.fp32, made, both.inputs)}
    for item in read:
        median = float(np.median(np.abs(values[item]))) if item in values and values[item].size else 0.0
        step = scales[item]
        if median < 2 * step:
            yield f"it reads {item} in steps of {step:.3g}, and half of its values are below {median:.3g}"


def _inside(item: onnx.TensorProto) -> bool:
    return not item.external_data


def _scales(model: onnx.ModelProto) -> dict[str, float]:
    """The step of each quantised tensor by its name; of one with a step for each channel, the largest."""
    values = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer if _inside(item)}
    quantisers = [node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[1] in values]
    return {node.input[0]: float(values[node.input[1]].max()) for node in quantisers if values[node.input[1]].size}
