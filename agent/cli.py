"""`agent run | probe | doctor | once`: the device's command line. With argparse, because a board installs little."""

import argparse
import json
import logging
import math
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from google.protobuf import json_format

from jetfleet.address import ADDRESS_VARIABLE, default_state_dir, is_loopback, socket_address
from jetfleet.errors import BadInput, Infrastructure, JetfleetError
from jetfleet.v1 import task_pb2
from jetfleet.version import VERSION

_MOST_THREADS = 4096
_PROBE_S = 120.0  # importing TensorRT on a small board that has just booted


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a verb and exits with the project's codes: 0 ok, 1 task failed, 2 bad input, 4 infrastructure."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        sys.exit(options.verb(options))
    except JetfleetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `agent doctor | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent", description="Builds and measures on this device, for a controller.")
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("-v", "--verbose", action="store_true", help="say more")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_run(verbs.add_parser("run", help="work for a controller until told to stop"))
    probe = verbs.add_parser("probe", help="print what this device is and runs, as JSON")
    _add_facts_options(probe)
    probe.set_defaults(verb=_probe)
    doctor = verbs.add_parser("doctor", help="check this device step by step, and say what to do about each failure")
    doctor.add_argument("--json", action="store_true", help="a list of checks for programs")
    doctor.add_argument(
        "--address", help=f"a controller to reach, HOST:PORT or unix:PATH [default: ${ADDRESS_VARIABLE}]"
    )
    doctor.add_argument("--state", type=Path, help="state folder [default: $JETFLEET_STATE/agent or its XDG place]")
    doctor.add_argument("--root", type=Path, default=Path("/"), help="read another tree than /: nothing is run then")
    doctor.set_defaults(verb=_doctor)
    once = verbs.add_parser("once", help="run one task file with no controller")
    once.add_argument("task", type=Path, help="a TaskSpec message as JSON")
    once.add_argument("--blobs", type=Path, help="folder of input files named by SHA-256 [default: beside the task]")
    once.add_argument("--out", type=Path, default=Path("out"), help="where output files go [default: ./out]")
    once.set_defaults(verb=_once)
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--address", help=f"the controller, HOST:PORT or unix:PATH [default: ${ADDRESS_VARIABLE}, else this user's own]"
    )
    run.add_argument("--state", type=Path, help="state folder [default: $JETFLEET_STATE/agent or its XDG place]")
    run.add_argument("--name", default="", help="what people call this device [default: its host name]")
    run.add_argument("--idle-exit", type=_seconds, metavar="SECONDS", help="stop after this long without work")
    run.add_argument(
        "--drain-seconds", type=_seconds, default=30.0, help="on SIGTERM, time for the work in hand [default: 30]"
    )
    run.add_argument("--blobs-from", type=Path, help="a controller's blobs folder on this machine: link, not copy")
    _add_facts_options(run)
    run.set_defaults(verb=_run)


def _add_facts_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="a free fact; repeatable")
    parser.add_argument("--threads", type=_threads, help="CPU threads of an inference [default: every CPU it may use]")
    parser.add_argument(
        "--facts", type=Path, help="JSON of a simulated board's facts: runs the simulated runtime and nothing else"
    )


def _threads(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= _MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of threads: 1 to {_MOST_THREADS}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds: 0 or more")
    return found


def _run(options: argparse.Namespace) -> int:
    from agent.daemon import agent as daemon
    from agent.device import identity

    address = options.address or os.environ.get(ADDRESS_VARIABLE) or socket_address(default_state_dir())
    if not is_loopback(address):
        raise BadInput(
            f"{address} is not loopback, and plain text is spoken on nothing else",
            where="--address",
            expected="127.0.0.1:PORT or unix:PATH",
            hint="forward it from the controller's machine: ssh -N -R 50051:127.0.0.1:50051 THIS_BOARD",
        )
    state_dir = (options.state or default_state_dir() / "agent").resolve()
    _labels(options.label)  # a mistake on the command line is told at once
    simulated = options.facts is not None
    daemon.run(
        daemon.Options(
            address=address,
            state_dir=state_dir,
            name=options.name or socket.gethostname(),
            read_facts=partial(_facts_of_child, options),
            boot_id=identity.boot_id() or uuid.uuid4().hex,  # unreadable: every agent process counts as a boot
            serial="" if simulated else identity.hardware_serial(),
            bench_domain=f"simulated {state_dir}" if simulated else identity.bench_domain(),
            env=_child_env(options),
            idle_exit_s=options.idle_exit,
            drain_s=options.drain_seconds,
            blobs_from=options.blobs_from,
        )
    )
    return 0


def _probe(options: argparse.Namespace) -> int:
    print(json_format.MessageToJson(_facts(options), preserving_proto_field_name=True, sort_keys=True))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from agent.doctor.check import look_at
    from agent.doctor.checks import CHECKS, examine, exit_code
    from agent.doctor.table import as_json, row, verdict

    if not options.root.is_dir():
        raise BadInput("there is no such folder", where=f"--root {options.root}")
    state_dir = (options.state or default_state_dir() / "agent").resolve()
    address = options.address or os.environ.get(ADDRESS_VARIABLE)
    place = look_at(options.root.resolve(), env=os.environ, state_dir=state_dir, address=address)
    width, checks = max(map(len, CHECKS)), []
    for check in examine(place):
        checks.append(check)
        if not options.json:
            print(row(check, width=width, colour=sys.stdout.isatty()), flush=True)
    print(as_json(checks) if options.json else verdict(checks))
    return exit_code(checks)


def _once(options: argparse.Namespace) -> int:
    from agent.daemon.run_once import run_once

    blobs = options.blobs or options.task.parent / "blobs"
    outcome = run_once(options.task, blobs=blobs, out=options.out)
    print(json_format.MessageToJson(outcome, preserving_proto_field_name=True))
    return 1 if outcome.HasField("failure") else 0


def _facts(options: argparse.Namespace) -> task_pb2.Facts:
    if options.facts is not None:
        return _constructed_facts(options)
    from agent.device.facts import read_facts
    from agent.device.gpu import read_gpu
    from agent.runtime.registry import versions

    facts = read_facts(env=os.environ, runtimes=versions(), labels=_labels(options.label), gpu=read_gpu())
    if options.threads:
        facts.cpu_count = options.threads
    return facts


def _constructed_facts(options: argparse.Namespace) -> task_pb2.Facts:
    from agent.runtime.registry import open_runtime

    try:
        facts = json_format.Parse(options.facts.read_text(), task_pb2.Facts())
    except OSError as error:
        raise BadInput(f"cannot read it: {error.strerror}", where=str(options.facts)) from None
    except json_format.ParseError as error:
        raise BadInput(
            f"not the facts of a board: {error}", where=str(options.facts), hint="see `agent probe` for the form"
        ) from None
    facts.simulated = True
    facts.runtimes.clear()
    facts.runtimes["simulated"] = open_runtime("simulated").version()
    facts.labels.update(_labels(options.label))
    return facts


def _labels(pairs: Sequence[str]) -> dict[str, str]:
    wrong = next((pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair), None)
    if wrong is not None:
        raise BadInput(f"{wrong!r} is no label", where="--label", expected="KEY=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def _facts_of_child(options: argparse.Namespace) -> task_pb2.Facts:
    """Facts as a child process finds them: a driver that crashes on import takes the child, not the agent, and the
    libraries that it loads do not stay in the agent's memory."""
    flags = [flag for pair in options.label for flag in ("--label", pair)]
    flags += ["--threads", str(options.threads)] if options.threads else []
    flags += ["--facts", str(options.facts)] if options.facts else []
    try:
        child = subprocess.run(
            [sys.executable, "-m", "agent.cli", "probe", *flags], capture_output=True, timeout=_PROBE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Infrastructure(f"`agent probe` took longer than {_PROBE_S:.0f} s", hint="run it by hand") from None
    if child.returncode != 0:
        last = child.stderr.decode(errors="replace").strip().removeprefix("error: ")
        if child.returncode == BadInput.exit_code:
            raise BadInput(last)
        raise Infrastructure(f"`agent probe` failed: {last[-500:]}", hint="run it by hand")
    return json_format.ParseDict(json.loads(child.stdout), task_pb2.Facts())


def _child_env(options: argparse.Namespace) -> dict[str, str]:
    """A runtime starts as many threads as it may run on CPUs; a quota of less it does not see."""
    from agent.device.quota import usable_cpus

    threads = options.threads or usable_cpus(Path("/"))
    told = bool(options.threads) or threads < len(os.sched_getaffinity(0))
    return {**os.environ, **({"JETFLEET_THREADS": str(threads)} if told else {})}


if __name__ == "__main__":
    main()
