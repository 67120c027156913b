"""From job files to jobs on a controller: every one is checked before the first is submitted."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from controller.api.control_client import ControlClient
from controller.api.local import ensure_local_agents
from controller.api.pipeline_key import pipeline_key
from controller.api.pipeline_labels import pipeline_labels
from controller.client.transfer import OnProgress
from controller.model.job import JobSpec
from controller.model.view import Submitted
from jetfleet.errors import JetfleetError
from jetfleet.plural import are, counted

if TYPE_CHECKING:
    from controller.intake.prepare import PreparedJob

Item = TypeVar("Item")
Result = TypeVar("Result")


class JobsRefused(Exception):
    """Of several jobs at least one is wrong, so none was submitted. `errors` are the jobs' names and errors."""

    def __init__(self, errors: Sequence[tuple[str, JetfleetError]], *, total: int) -> None:
        super().__init__(f"{len(errors)} of {counted(total, 'job')} {are(len(errors))} wrong: none was submitted")
        self.errors = errors


@dataclass(frozen=True)
class SubmitOptions:
    """`local` has that many agents of this machine take part; None starts one where an embedded controller has none.

    `local_threads` are the CPU threads of each of them. `on_message` hears of each step. `idempotency_key`: the same
    key gives the same job; empty, it is made from the run of a CI system that this process is in, if it is in one.
    `labels` go before those of the job file, and those before the commit and branch that a CI system tells.
    """

    state_dir: Path
    local: int | None = None
    local_threads: Sequence[int] = ()
    idempotency_key: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    validate_only: bool = False
    on_message: Callable[[str], None] = lambda _: None
    on_progress: OnProgress | None = None


def prepare_files(
    paths: Sequence[Path], *, state_dir: Path, on_message: Callable[[str], None] = lambda _: None
) -> "list[tuple[str, PreparedJob]]":
    """Each job file's path and the job, ready to submit: models exported, references computed. Needs no controller.

    Raises what is wrong with the one file, or JobsRefused for several.
    """
    from controller.intake.prepare import load, prepare_loaded  # pydantic: seconds that other calls do not owe

    loaded = _each([(str(path), path) for path in paths], load)  # every mistake of every file, before any export
    return _each(loaded, lambda job: prepare_loaded(job, state_dir=state_dir, progress=on_message))


def prepare_pair(
    base: str,
    candidate: str,
    *,
    of: Path | None = None,
    state_dir: Path,
    on_message: Callable[[str], None] = lambda _: None,
) -> "tuple[str, PreparedJob]":
    """A job that holds two things against each other: two job files or, with `of`, two variants of that one.

    Ready to submit, under its name. Raises as prepare_files, and BadInput for what is no pair.
    """
    from controller.intake.pairs import pair_jobs, pair_variants  # as above

    paths = [Path(base), Path(candidate)] if of is None else [of]
    prepared = [job for _, job in prepare_files(paths, state_dir=state_dir, on_message=on_message)]
    found = pair_jobs(*prepared) if of is None else pair_variants(prepared[0], base, candidate)
    return found.spec.name, found


def prepare_model(
    model: object, arguments: Mapping[str, Any], *, state_dir: Path, on_message: Callable[[str], None] = lambda _: None
) -> "tuple[str, PreparedJob]":
    """A job from a model and the arguments of `Client.submit`, ready to submit, under its name. As prepare_files."""
    from controller.intake.prepare_arguments import prepare_arguments

    prepared = prepare_arguments(model, arguments, state_dir=state_dir, progress=on_message)
    return prepared.spec.name, prepared


def submit_prepared(
    client: ControlClient,
    prepared: "Sequence[tuple[str, PreparedJob]]",
    options: SubmitOptions,
    *,
    on_submitted: Callable[[Submitted], None] = lambda _: None,
) -> list[Submitted]:
    """Submits all, or none if one cannot be planned: then raises its error, or JobsRefused for several jobs.

    `on_submitted` hears of each job at once. With `validate_only` nothing is stored, and the plans are returned.
    """
    prepared = [(name, _with_labels(item, options.labels)) for name, item in prepared]
    ensure_local_agents(
        client,
        count=options.local,
        threads=options.local_threads,
        state_dir=options.state_dir,
        on_message=options.on_message,
    )
    if options.validate_only:
        return _plans(client, prepared)
    keys = _keys(options, [item.spec for _, item in prepared])
    if len(prepared) > 1 or not any(keys):
        _plans(client, prepared)  # before minutes of upload; a job that is there already is not planned again
    submitted = []
    for (_, item), key in zip(prepared, keys, strict=True):
        found = client.submit_spec(item.spec, item.files, idempotency_key=key, on_progress=options.on_progress)
        submitted.append(found)
        on_submitted(found)
    return submitted


def _with_labels(prepared: "PreparedJob", labels: Mapping[str, str]) -> "PreparedJob":
    spec = prepared.spec
    return replace(prepared, spec=replace(spec, labels={**pipeline_labels(os.environ), **spec.labels, **labels}))


def _plans(client: ControlClient, prepared: "Sequence[tuple[str, PreparedJob]]") -> list[Submitted]:
    plans = _each(prepared, lambda item: client.submit_spec(item.spec, item.files, validate_only=True))
    return [plan for _, plan in plans]


def _each(items: Sequence[tuple[str, Item]], function: Callable[[Item], Result]) -> list[tuple[str, Result]]:
    """What the function makes of every item, under its name. Raises the error of a single item, or JobsRefused."""
    found: list[tuple[str, Result]] = []
    errors: list[tuple[str, JetfleetError]] = []
    for name, item in items:
        try:
            found.append((name, function(item)))
        except JetfleetError as error:
            if len(items) == 1:
                raise
            errors.append((name, error))
    if errors:
        raise JobsRefused(errors, total=len(items))
    return found


def _keys(options: SubmitOptions, specs: Sequence[JobSpec]) -> list[str]:
    """An idempotency key for each job; empty for a new one. A given key is numbered where there are several jobs."""
    given = options.idempotency_key
    if given:
        return [given] if len(specs) == 1 else [f"{given}/{number}" for number in range(1, len(specs) + 1)]
    found = [pipeline_key(spec, os.environ) for spec in specs]
    if found[0] is not None:
        names = ", ".join(found[0].variables)
        options.on_message(f"idempotency key from {names} and the job: the same step finds the same job")
    return [key.key if key else "" for key in found]
