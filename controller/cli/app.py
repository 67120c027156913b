"""The verbs of `controller`, wired together, and the options that all of them share."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli import (
    audit,
    compare,
    completion,
    devices,
    engines,
    enroll,
    export,
    gate,
    gc,
    history,
    image,
    install,
    jobs,
    login,
    maintenance,
    noise,
    package,
    query,
    recommend,
    report,
    results,
    schema,
    serve,
    submit,
    token,
    upgrade,
)
from controller.cli.settings import settings_of
from jetfleet.address import ADDRESS_VARIABLE, STATE_VARIABLE, check_state_dir
from jetfleet.version import VERSION

app = typer.Typer(
    name="controller",
    help="Builds and benchmarks models on a fleet of Jetsons, and keeps every number.",
    epilog="Start with: controller submit JOB.yaml --wait. Exit codes: 0 done, 1 a task failed or computed the wrong "
    "thing, 2 wrong usage or input, 3 a gate said no (--require-valid, --fail-on), 4 no device or controller, "
    "6 cancelled, 7 time-out, 130 detached by Ctrl-C, 141 the reader of the output has gone.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # help without rich: it answers at once
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("submit")(submit.submit)
app.command("jobs")(jobs.jobs)
app.add_typer(jobs.app, name="job")
app.add_typer(devices.app, name="devices")
app.add_typer(engines.app, name="engines")
app.add_typer(engines.app, name="engine", hidden=True)
app.command("results")(results.results)
app.command("export")(export.export)
app.command("compare")(compare.compare)
app.command("noise")(noise.noise)
app.command("history")(history.history)
app.command("upgrade-report")(upgrade.upgrade_report)
app.command("report")(report.report)
app.command("gate")(gate.gate)
app.add_typer(gate.app, name="baseline")
app.command("recommend")(recommend.recommend)
app.command("package")(package.package)
app.command("query")(query.query)
app.command("schema")(schema.schema)
app.command("serve")(serve.serve)
app.add_typer(enroll.app, name="enroll")
app.add_typer(token.app, name="token")
app.add_typer(audit.app, name="audit")
app.command("image")(image.image)
app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("backup")(maintenance.backup)
app.command("restore")(maintenance.restore)
app.command("fsck")(maintenance.fsck)
app.command("completion")(completion.completion)
app.command("gc")(gc.gc)
app.command("install")(install.install)
app.command("uninstall")(install.uninstall)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(VERSION)
        raise typer.Exit


@app.callback()
def set_global_options(
    context: typer.Context,
    state: Annotated[
        Path | None,
        typer.Option(help=f"State folder. [env {STATE_VARIABLE}; default ~/.local/state/jetfleet]", show_default=False),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help=f"Controller to talk to: unix:PATH or HOST:PORT. [env {ADDRESS_VARIABLE}]", show_default=False
        ),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="Leave no column of a table out; in a pipe none is, unless COLUMNS is set.")
    ] = False,
    columns: Annotated[str, typer.Option(metavar="A,B", help="The columns of a table that are shown.")] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks and debug logs.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    settings = settings_of(context)
    settings.verbose = verbose
    if wide or columns:
        from controller.report.text.table import LAYOUT, Layout

        LAYOUT.set(Layout(wide, tuple(name for name in columns.split(",") if name.strip())))
    settings.state_chosen = state is not None
    if state is not None:
        check_state_dir(state)
        settings.state_dir = state
        settings.chosen += ["--state", str(state)]
    if address is not None:
        settings.address = address
        settings.chosen += ["--address", address]
