"""`agent run | enroll | doctor | ...`: the device's command line. With argparse, because a board installs little."""

import argparse
import json
import os
import socket
import sys
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from agent import enroll, single_task
from agent.bundle import command as bundle
from agent.callable_options import add_callables, allowed_callables
from agent.doctor import command as doctor
from agent.install import command as install
from jetfleet.address import (
    ADDRESS_VARIABLE,
    check_address,
    check_state_dir,
    default_state_dir,
    is_socket,
    socket_address,
)
from jetfleet.arguments import Parser, long_options, seconds, threads
from jetfleet.completion import SHELLS, script
from jetfleet.errors import Infrastructure, JetfleetError, error_record
from jetfleet.plain_log import log_plainly, printable
from jetfleet.streams import prepare_streams, run_printing
from jetfleet.usage import refuse_blank
from jetfleet.version import VERSION

if TYPE_CHECKING:
    from agent.device.probe import ProbeOptions

# What an installation without its extra lacks.
_PACKAGES = frozenset({"cryptography", "google", "grpc", "numpy"})
_EXIT_CODES = (
    "Exit codes: 0 done, 1 the task failed, 2 wrong input, 4 controller, device or disk out of order, "
    "141 the reader of the output has gone."
)
_PULSE_VARIABLE = "JETFLEET_PULSE"  # set by the images, whose health check reads the file's time
_STATE_HELP = "state folder of this agent [default: agent/ in $JETFLEET_STATE, else in the XDG state folder]"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a verb and exits with the project's codes: 0 ok, 1 task failed, 2 bad input, 4 infrastructure."""
    prepare_streams()
    words = sys.argv[1:] if arguments is None else arguments
    tell = partial(_print_error, as_json="--json" in words)
    try:
        sys.exit(run_printing(partial(_run_verb, words), tell=tell))
    except ModuleNotFoundError as error:
        if (name := (error.name or "").partition(".")[0]) not in _PACKAGES:
            raise
        advice = Infrastructure(f"the package {name} is not installed here", hint="pip install 'jetfleet[agent]'")
        sys.exit(tell(advice))


def _run_verb(words: Sequence[str]) -> int:
    refuse_blank(words, command="agent")
    parser = _parser()
    options, unknown = parser.parse_known_args(words)
    if unknown:
        verb: Parser = options.parser
        raise verb.unknown(unknown)
    log_plainly(debug=options.verbose, as_json=getattr(options, "log_format", "text") == "json")
    code: int = options.verb(options)
    return code


def _print_error(error: JetfleetError, *, as_json: bool) -> int:
    said = json.dumps({"error": error_record(error)}) if as_json else f"error: {printable(str(error), indent='')}"
    print(said, file=sys.stderr)
    return error.exit_code


def _parser() -> Parser:
    parser = Parser(
        prog="agent",
        description="Builds engines and measures them on this device, as a controller asks.",
        epilog=f"{_EXIT_CODES} `agent VERB --help` shows the options of a verb.",
    )
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("-v", "--verbose", action="store_true", help="log more details")
    verbs = parser.add_subparsers(required=True, metavar="VERB", title="verbs")
    _add_run(_verb(verbs, "run", _run, "connect to a controller and work for it until stopped"))
    joining = _verb(verbs, "enroll", _enroll, "become a member of a controller's fleet")
    enroll.add_arguments(joining, state_help=_STATE_HELP, exit_codes=_EXIT_CODES)
    _add_device_options(_verb(verbs, "probe", _probe, "print what this device is and runs, as JSON"))
    checks = _verb(verbs, "doctor", _doctor, "check this device step by step, and say how to repair what fails")
    doctor.add_arguments(checks, state_help=_STATE_HELP)
    service = _verb(verbs, "install", install.install, "make the agent a service of this board, and start it")
    install.add_install_arguments(service, exit_codes=_EXIT_CODES)
    removal = _verb(verbs, "uninstall", install.uninstall, "remove the service again; the board's identity stays")
    install.add_uninstall_arguments(removal, exit_codes=_EXIT_CODES)
    single_task.add_arguments(
        _verb(verbs, "once", single_task.run, "run one task from a file, without a controller"), exit_codes=_EXIT_CODES
    )
    deployed = _verb(verbs, "bundle", bundle.run, "verify, run, serve or accept what `controller package` made")
    bundle.add_arguments(deployed, exit_codes=_EXIT_CODES)
    shells = _verb(verbs, "completion", _completion, "print a completion script for a shell")
    shells.add_argument("shell", choices=SHELLS)
    return parser


def _completion(options: argparse.Namespace) -> int:
    parser = _parser()
    verbs = next(item.choices for item in parser._actions if isinstance(item.choices, dict))
    words = {verb: long_options(item) for verb, item in verbs.items()}
    print(script(options.shell, "agent", {"": [*verbs, *long_options(parser)], **words}), end="")
    return 0


def _verb(
    verbs: "argparse._SubParsersAction[Parser]",
    name: str,
    call: Callable[[argparse.Namespace], int],
    summary: str,
) -> Parser:
    parser = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(verb=call, parser=parser)
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    run.epilog = (
        "SIGTERM drains: the task in hand may end within --drain-seconds, then it is returned to the controller. "
        f"A second SIGTERM returns it at once. {_EXIT_CODES}"
    )
    connection = run.add_argument_group("connection")
    connection.add_argument(
        "--address",
        help=f"the controller, HOST:PORT or unix:PATH [default: ${ADDRESS_VARIABLE}, else where this board enrolled, "
        "else this user's own]",
    )
    connection.add_argument("--name", default="", help="name of this device in the fleet [default: its host name]")
    connection.add_argument("--state", type=Path, metavar="DIR", help=_STATE_HELP)
    connection.add_argument(
        "--blobs-from",
        type=Path,
        metavar="DIR",
        help="blobs folder of a controller on this machine: files are hard-linked from there, not downloaded",
    )
    run.add_argument("--log-format", choices=["text", "json"], default="text", help="lines for people, or JSON lines")
    run.add_argument("--as-root", action="store_true", help="run as root although the work comes from elsewhere")
    life = run.add_argument_group("when to stop")
    life.add_argument("--idle-exit", type=seconds, metavar="SECONDS", help="stop after this long without work")
    life.add_argument(
        "--drain-seconds",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long the task in hand may go on after SIGTERM [default: 30]",
    )
    run.add_argument(
        "--foreign-engines",
        choices=("on", "off"),
        default="on",
        help="whether engines that other boards of this class built are run here: they are native code [default: on]",
    )
    _add_device_options(run)


def _add_device_options(parser: argparse.ArgumentParser) -> None:
    device = parser.add_argument_group("device")
    device.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="a label for selectors; may be repeated"
    )
    device.add_argument(
        "--threads",
        type=threads,
        metavar="N",
        help="CPU threads of an inference [default: the CPUs that this process may use]",
    )
    add_callables(device)
    device.add_argument(
        "--facts",
        type=Path,
        metavar="FILE",
        help="simulate the board that this JSON file describes, in the form of `agent probe`: no real runtime is used",
    )


def _run(options: argparse.Namespace) -> int:
    from agent.daemon import agent as daemon
    from agent.daemon.bench_lock import PLACES
    from agent.daemon.credentials import credentials_for
    from agent.daemon.options import AgentOptions
    from agent.device import identity
    from agent.device.probe import attempt_env, probe_in_child
    from agent.helper.client import helper_socket

    state_dir, device = _state_dir(options), _probe_options(options)
    address = _address(options, state_dir) or socket_address(default_state_dir())
    check_address(address)
    simulated = device.board is not None
    credentials = credentials_for(address, state_dir)
    if not simulated:
        _refuse_root(address, told=options.as_root)
    daemon.run(
        AgentOptions(
            address=address,
            credentials=credentials,
            state_dir=state_dir,
            name=options.name or socket.gethostname(),
            name_asked=bool(options.name),
            read_facts=partial(probe_in_child, device),
            own_engines_only=options.foreign_engines == "off",
            boot_id=identity.boot_id() or uuid.uuid4().hex,  # unreadable: every agent process counts as a boot
            serial="" if simulated else identity.hardware_serial(),
            bench_domain=f"simulated {state_dir}" if simulated else identity.bench_domain(),
            env=attempt_env(os.environ, threads=device.threads, callables=device.callables),
            idle_exit_s=options.idle_exit,
            drain_s=options.drain_seconds,
            blobs_from=options.blobs_from,
            # Nobody else has the hardware of a simulated board.
            lock_places=(state_dir,) if simulated else PLACES,
            helper=helper_socket(os.environ),
            pulse=Path(os.environ[_PULSE_VARIABLE]) if os.environ.get(_PULSE_VARIABLE) else None,
        )
    )
    return 0


def _refuse_root(address: str, *, told: bool) -> None:
    """What other machines send is run here: engines are native code. A socket of one's own is nobody else's."""
    if os.geteuid() == 0 and not told and not is_socket(address):
        raise Infrastructure(
            "the agent does not run as root: what it builds and runs comes from other machines",
            hint="`agent install --native` makes it a service with a user of its own; or --as-root",
        )


def _enroll(options: argparse.Namespace) -> int:
    return enroll.run(options, state_dir=_state_dir(options))


def _address(options: argparse.Namespace, state_dir: Path) -> str:
    """What was given, else what the environment says, else where this board enrolled; empty for none of them."""
    from agent.daemon.credentials import enrolled_at

    given = options.address or os.environ.get(ADDRESS_VARIABLE)
    enrolled = None if given else enrolled_at(state_dir)
    return given or (enrolled.address if enrolled else "")


def _probe(options: argparse.Namespace) -> int:
    from google.protobuf import json_format

    from agent.device.probe import probe

    facts = probe(_probe_options(options))
    print(json_format.MessageToJson(facts, preserving_proto_field_name=True, sort_keys=True))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    state_dir = _state_dir(options)
    return doctor.run(options, state_dir=state_dir, address=_address(options, state_dir) or None)


def _state_dir(options: argparse.Namespace) -> Path:
    folder: Path = options.state or default_state_dir() / "agent"
    check_state_dir(folder)
    return folder.resolve()


def _probe_options(options: argparse.Namespace) -> "ProbeOptions":
    from agent.device.probe import ProbeOptions, parse_labels

    return ProbeOptions(
        labels=parse_labels(options.label),
        threads=options.threads,
        board=options.facts,
        callables=allowed_callables(options),
    )


if __name__ == "__main__":
    main()
