"""An export's answers held against PyTorch's: by place, and as sets where the graph itself chooses the rows."""

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx

from controller.intake.graph.agreement import agree
from controller.intake.graph.rounded_outputs import rounded_outputs
from controller.intake.graph.set_outputs import chosen_outputs
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.model_error import ModelError
from jetfleet.outputs.bounds import Bounds, Rule
from jetfleet.outputs.sets import judge_set

DIFFERENT = "the export answers differently from PyTorch"
# A row whose score ties with the last one chosen may be another row; its numbers agree to a thousandth of their range.
_AS_SET = Bounds(rule=Rule.SET, min_cosine=0.9999, min_agreement=0.9)


def refuse_different(
    found: Mapping[str, Array],
    wanted: Mapping[str, Array],
    *,
    graph: Path,
    forced: Callable[[], Mapping[str, Array]],
    progress: Callable[[str], None],
) -> None:
    """Raises ModelError for the first output that is another answer.

    `forced` is the export's answer with the rows that PyTorch's topk took, empty where that cannot be had.
    """
    made = onnx.load_model(str(graph), load_external_data=False).graph
    rounded = rounded_outputs(made, wanted)
    for name, array in wanted.items():
        try:
            agree(name, found[name], array, told=DIFFERENT, steps=("model", "torch"), rounded=name in rounded)
        except ModelError as error:
            choice = _choices(made).get(name, "")
            note = _tie_note(name, found[name], array, choice=choice, forced=forced) if choice else ""
            if not note:
                error.hint = _hint(choice) or error.hint
                raise
            progress(note)


def _tie_note(name: str, found: Array, wanted: Array, *, choice: str, forced: Callable[[], Mapping[str, Array]]) -> str:
    """How an output that a node chose agrees in spite of its ties; empty: it does not."""
    if _agree_as_sets(found, wanted):
        return f"note: rows of {name} agree with PyTorch in another order: {choice} chooses them"
    if _agrees(name, forced(), wanted):
        return f"note: scores tie where {choice} chooses {name}: with PyTorch's rows the export agrees"
    return ""


def _agrees(name: str, given: Mapping[str, Array], wanted: Array) -> bool:
    if name not in given:
        return False
    try:
        agree(name, given[name], wanted, told=DIFFERENT, steps=("model", "torch"))
    except ModelError:
        return False
    return True


def _hint(choice: str) -> str:
    if not choice:
        return ""
    return (
        f"{choice} chooses its rows: where scores tie, as in a model without trained weights, PyTorch and ONNX Runtime "
        "may each choose others; load trained weights"
    )


def _choices(graph: onnx.GraphProto) -> dict[str, str]:
    """By output, the node that chose its rows."""
    return {name: choice for choice, outputs in chosen_outputs(graph).items() for name in outputs}


def _agree_as_sets(found: Array, wanted: Array) -> bool:
    """Sample by sample: a row never goes from one to another."""
    if found.shape != wanted.shape or not wanted.ndim:
        return False
    samples = range(len(wanted))
    return all(judge_set([found[at : at + 1]], [wanted[at : at + 1]], _AS_SET).passed for at in samples)
