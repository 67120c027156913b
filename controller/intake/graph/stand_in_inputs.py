"""Which stand-in each input gets that has no values of its own, and how a message tells of them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from controller.intake.jobfile.inputs import Input
from controller.intake.jobfile.model_error import ModelError
from controller.intake.jobfile.yaml import quoted
from jetfleet.stand_ins import BITS, NORMAL, ZERO, words_for


def choose(inputs: Iterable[Input], rows: Mapping[str, int]) -> tuple[Input, ...]:
    """`rows`: of the tables that inputs are indices of, as far as they are known."""
    return tuple(_with_stand_in(item, rows.get(item.name)) for item in inputs)


def choose_tried(
    inputs: Iterable[Input], rows: Mapping[str, int], attempt: Callable[[tuple[Input, ...]], object]
) -> tuple[Input, ...]:
    """The same, less those integers of which nothing is known and with which the model does not run: they are 0."""
    chosen = choose(inputs, rows)
    if not any(_is_a_guess(item) for item in chosen):
        return chosen
    try:
        attempt(chosen)
    except ModelError:
        return tuple(replace(item, stand_in=ZERO) if _is_a_guess(item) else item for item in chosen)
    return chosen


def told(inputs: Iterable[Input], *, real: Collection[str] = (), plain: bool = True) -> str:
    """`attention_mask constant[1], x normal`: what inputs were filled with that nobody gave. `plain`: noise too."""
    return ", ".join(
        f"{item.name} {item.stand_in}"
        for item in inputs
        if item.values is None and item.name not in real and (plain or item.stand_in != NORMAL)
    )


def suspects(inputs: Iterable[Input], *, real: Collection[str] = ()) -> tuple[Input, ...]:
    """Inputs that nobody gave and whose value may be at fault where a model fails: scalars, and all but noise."""
    made = [item for item in inputs if item.values is None and item.name not in real]
    return tuple(item for item in made if item.stand_in != NORMAL or not item.dims)


def blamed(error: ModelError, found: Collection[Input]) -> ModelError:
    """The error with the stand-ins that may be at fault, and how to give them."""
    if not found:
        return error
    lines = ", ".join(f"{quoted(item.name)}: {{values: {_example(item)}}}" for item in found)
    more = f"; {error.hint}" if error.hint else ""
    return ModelError(
        f"{error.message}; stand-in inputs that may be the cause, because nobody gave them: {told(found)}",
        steps=error.steps if error.where else ("model", "inputs"),
        where=error.where,
        expected=error.expected or "inputs that the model takes",
        hint=f"give what the model takes, under model: inputs: {{{lines}}}{more}",
    )


def _example(item: Input) -> str:
    return "'constant[NUMBER]'" if not item.dims else "FILE.npy"


def _with_stand_in(item: Input, rows: int | None) -> Input:
    return replace(item, stand_in=words_for(item.name, item.dtype, rank=len(item.dims), rows=rows))


def _is_a_guess(item: Input) -> bool:
    return item.values is None and item.stand_in == BITS and item.dtype != "bool"
