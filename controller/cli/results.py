"""`controller results`: measurements, filtered where they are stored, with their evidence."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.formats import Format, one_format, print_with_notes
from controller.cli.labels import parse_labels
from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from jetfleet.usage import check_outputs

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.model.job import Condition
    from controller.model.result import Row
    from controller.model.view import JobView

_CONDITION = re.compile(r"(?P<fact>[A-Za-z][\w.-]*?)\s*(?P<op>===?|~=|!=|>=|<=|=|>|<)\s*(?P<value>.+)", re.DOTALL)


def results(
    context: typer.Context,
    job: Annotated[
        int | None, typer.Argument(metavar="[JOB]", min=1, max=MOST_ID, help="Only this job's.", show_default=False)
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="FACT=VALUE", help="A fact when measured: sku=orin-nano-8gb, 'cpu_count>=4'. Repeatable."),
    ] = None,
    variant: Annotated[list[str] | None, typer.Option(metavar="KEY", help="Only this variant. Repeatable.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only of jobs with this label. Repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 1000,
    samples: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Put every latency there, in ms.", show_default=False)
    ] = None,
    times: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Put them there as trtexec does.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with every field.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line per measurement.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Show measurements.

    Latency with its interval, accuracy beside it, and whether the numbers may be trusted.
    """
    from controller.model.view import ResultQuery

    chosen = one_format(json=as_json, csv=as_csv, markdown=as_markdown)
    query = ResultQuery(
        job_ids=(job,) if job else (),
        conditions=conditions(where or ()),
        variant_keys=tuple(variant or ()),
        limit=limit,
        labels=parse_labels(label or ()),
    )
    check_outputs(**{"--samples": samples, "--times": times})
    with settings_of(context).connect() as client:
        view = client.job(job) if job else None  # a job that does not exist is a mistake, not an empty table
        rows = client.results(query)
        _save(client, rows, samples, times)
    _print(rows, chosen, view if not (where or variant or label) else None)


def _save(client: "Client", rows: Sequence["Row"], samples: Path | None, times: Path | None) -> None:
    from controller.cli.samples import save_samples, save_times

    for path, save in ((samples, save_samples), (times, save_times)):
        if path is not None:
            print_message(f"samples of {save(client, rows, path)} measurements: {path}")


def _print(rows: Sequence["Row"], chosen: Format, job: "JobView | None") -> None:
    from controller.report.text.results import csv_table, evidence, refused_of, results_table

    refused = refused_of(job) if job else ()
    if chosen is Format.JSON:
        from controller.cli.formats import print_json
        from controller.record.jobs import task_record
        from controller.record.results import result_record

        document = {
            "results": [result_record(row) for row in rows],
            "refused": [task_record(task) for _, task in refused],
        }
        print_json(document, out=sys.stdout)
    elif chosen is Format.CSV:
        from controller.report.text.table import print_csv

        print_csv(csv_table(rows), out=sys.stdout)
    else:
        print_with_notes(results_table(rows, refused), evidence(rows, refused), markdown=chosen is Format.MARKDOWN)


def conditions(texts: Sequence[str]) -> tuple["Condition", ...]:
    return tuple(condition(text) for text in texts)


def condition(text: str) -> "Condition":
    """`sku=a`, `sku=a,b` (one of), or a range of versions or numbers: `jetpack>=6.1,<7`. Raises BadInput."""
    from controller.model.facts import FactType, fact_type
    from controller.model.job import Condition, Op
    from jetfleet.errors import BadInput

    parts = _CONDITION.fullmatch(text.strip())
    if parts is None:
        raise BadInput(f"cannot read the condition {text!r}", where="--where", expected="FACT=VALUE")
    fact, op, value = parts["fact"], parts["op"], parts["value"]
    kind = fact_type(fact)
    if kind is None:
        raise BadInput(f"there is no fact {fact!r}", where="--where", expected=_similar_facts(fact))
    if op != "=":
        if kind not in (FactType.VERSION, FactType.NUMBER):
            raise BadInput(
                f"{fact} is {kind.value}, which {op} cannot compare", where="--where", expected=f"{fact}=VALUE"
            )
        return Condition(fact, Op.VERSION, (_version_range(f"{op}{value}"),))
    values = tuple(item.strip() for item in value.split(","))
    return Condition(fact, Op.EQUALS if len(values) == 1 else Op.IN, values)


def _version_range(text: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    from jetfleet.errors import BadInput

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise BadInput(
            f"{text!r} is not a range", where="--where", expected="jetpack>=6.1,<7 or cpu_count>=4"
        ) from None
    return text


def _similar_facts(fact: str) -> str:
    from difflib import get_close_matches

    from controller.model.facts import FACT_TYPES, FAMILIES

    close = get_close_matches(fact, FACT_TYPES, n=3)
    return f"{' or '.join(close)}" if close else ", ".join([*FACT_TYPES, *(f"{family}.NAME" for family in FAMILIES)])
