"""`controller package`: the winner of a job as a bundle that is deployed without any daemon of jetfleet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from controller.cli.numbers import MOST_ID
from controller.cli.settings import print_message, settings_of
from jetfleet.errors import BadInput
from jetfleet.usage import check_folders, check_outputs

if TYPE_CHECKING:
    from controller.api.client import Client
    from controller.model.result import Row

_Goals: TypeAlias = tuple[str, dict[str, float] | None]  # objective and constraints, where they are said

Job = Annotated[int | None, typer.Argument(min=1, max=MOST_ID, help="Whose winner, or variant.", show_default=False)]
For = Annotated[
    str, typer.Option("--for", metavar="CLASS", help="A device, or a class as `recommend` calls it: orin-nano-8gb.")
]
Variant = Annotated[str, typer.Option(metavar="KEY", help="This variant. [default: the one that `recommend` names]")]
Objective = Annotated[
    str, typer.Option(metavar="QUANTITY", help="What the winner is best at, as in `recommend`. [default: the job's]")
]
Require = Annotated[
    list[str] | None,
    typer.Option(metavar="QUANTITY=LIMIT", help="What the winner keeps, as in `recommend`. Repeatable."),
]
Budget = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC=LIMIT",
        help="What a target must keep in `agent bundle accept`. [default: the winner's p50 and p99, and a tenth]",
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where the bundle goes.")]
Name = Annotated[str, typer.Option(metavar="NAME", help="What it is called. [default: by model and variant]")]
Sign = Annotated[Path | None, typer.Option(metavar="KEY", help="Sign it with this private key.", show_default=False)]
NewKey = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Make a key to sign with, and FILE.pub; nothing else.")
]
Image = Annotated[bool, typer.Option("--image/--no-image", help="With what builds an image of it.")]
Base = Annotated[str, typer.Option(metavar="IMAGE", help="Build on this one. [default: by the board's L4T]")]
BuildBase = Annotated[str, typer.Option(metavar="IMAGE", help="Compile on this one. [default: by the board's L4T]")]
Python = Annotated[str, typer.Option(metavar="3.N", help="Which Python the base has. [default: the board's]")]
Wheelhouse = Annotated[bool, typer.Option("--wheelhouse", help="With all packages, for a machine without internet.")]


def package(
    context: typer.Context,
    job: Job = None,
    device_class: For = "",
    variant: Variant = "",
    objective: Objective = "",
    require: Require = None,
    budget: Budget = None,
    output: Output = None,
    name: Name = "",
    sign: Sign = None,
    new_key: NewKey = None,
    image: Image = True,
    base: Base = "",
    build_base: BuildBase = "",
    python: Python = "",
    wheelhouse: Wheelhouse = False,
) -> None:
    """Package the winner of a job, with everything that serves and checks it.

    Engine, ONNX, what the engine is built from, reference data, the measurement that won, and the files for an image, a
    unit and compose. Its digests are in manifest.json, which may be signed. `agent bundle` runs it.
    """
    if new_key is not None:
        from jetfleet.bundle_signature import make_key

        check_outputs(**{"--new-key": new_key})

        print(make_key(new_key), end="")
        return
    if job is None or output is None:
        raise BadInput("what is packaged, and where?", expected="controller package JOB -o DIR")
    check_folders(**{"--output": output})
    from controller.api.recommend import parse_constraints, required
    from controller.bundle.deploy import recipe_for
    from controller.bundle.write import BundleOptions, write_bundle
    from controller.model.result import Provenance

    limits = parse_constraints(budget or (), where="--budget")
    goals = (objective, required(require))
    with settings_of(context).connect() as client:
        row = _row(client, job, device_class, variant, goals)
        recipe = recipe_for(row, base=base, build_base=build_base, python=python) if image else None
        options = BundleOptions(limits, recipe, wheelhouse=wheelhouse, key=sign, name=name)
        manifest = write_bundle(client, row, output, options, print_message)
    if row.measurement.provenance is Provenance.SIMULATED:
        print_message("SIMULATED: its numbers are made up, and the network does not run in it")
    print_message(f"{manifest.name}: measurement {row.measurement_id} of {row.label} on {row.device}")
    print(output)


def _row(client: "Client", job: int, device_class: str, variant: str, goals: _Goals) -> "Row":
    """The newest VALID row of the variant that was asked for, or that is recommended. Raises BadInput."""
    from controller.analysis.recommendation.classes import class_of
    from controller.model.result import VALID
    from controller.model.view import ResultQuery

    client.job(job)
    rows = client.results(ResultQuery((job,)))
    mine = [row for row in rows if not device_class or device_class in (row.device, class_of(row).label, _sku(row))]
    if not mine:
        known = sorted({text for row in rows for text in (row.device, class_of(row).label)})
        raise BadInput(f"job {job} has no result for {device_class!r}", where="--for", expected=", ".join(known))
    classes = sorted({class_of(row).label for row in mine})
    if len(classes) > 1:
        raise BadInput(f"job {job} ran on several classes", where="--for", expected=f"one of: {', '.join(classes)}")
    if not variant:
        ids = _winner(client, job, classes[0], goals)
        return next(row for row in mine if row.measurement_id in ids)
    found = [row for row in mine if row.variant_key == variant]
    if not found:
        known = sorted({row.variant_key for row in mine})
        raise BadInput(f"job {job} has no result of {variant!r}", where="--variant", expected=", ".join(known))
    return next((row for row in found if row.measurement.verdict == VALID and not row.part), found[0])


def _sku(row: "Row") -> str:
    return str(row.facts.get("sku", ""))


def _winner(client: "Client", job: int, label: str, goals: _Goals) -> frozenset[int]:
    """The measurements of the winner."""
    report = client.recommend([job], objective=goals[0], constraints=goals[1])
    found = next(item for item in report.classes if item.device_class == label)
    if not found.winners:
        raise BadInput(f"nothing to package for {label}: {found.reason}", hint=f"controller recommend {job} says more")
    return frozenset(found.winners[0].measurement_ids)
