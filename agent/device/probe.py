"""What an agent says of its device: facts of this machine or of a simulated board, and the environment of attempts.

The agent itself asks a child process for the facts, so that no runtime is ever loaded into it: runtimes are imported in
`probe` alone.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from google.protobuf import json_format

from agent.child_env import child_env
from agent.device.quota import usable_cpus
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.interpreter import PYTHON
from jetfleet.pipeline.callables import ANY, with_callables
from jetfleet.usage import named_value
from jetfleet.v1 import task_pb2

_PROBE_S = 120.0  # importing TensorRT on a small board that has just booted


@dataclass(frozen=True)
class ProbeOptions:
    """What a person adds to what is read. `board` is a JSON file of a simulated board's facts."""

    labels: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    board: Path | None = None
    callables: tuple[str, ...] = ()  # digests of users' Python files that may run, or ANY

    def arguments(self) -> list[str]:
        """The same options for `agent probe`."""
        arguments = [argument for name, value in self.labels.items() for argument in ("--label", f"{name}={value}")]
        if self.threads is not None:
            arguments += ["--threads", str(self.threads)]
        if self.board is not None:
            arguments += ["--facts", str(self.board)]
        for word in self.callables:
            arguments += ["--allow-callables"] if word == ANY else ["--allow-callable", word]
        return arguments


def parse_labels(pairs: Sequence[str]) -> dict[str, str]:
    """Labels from KEY=VALUE. Raises BadInput for anything else."""
    labels = {}
    for pair in pairs:
        name, value = named_value(pair, what="label", where="--label", expected="KEY=VALUE")
        labels[name] = value
    return labels


def probe(options: ProbeOptions) -> task_pb2.Facts:
    """The device's facts; imports every runtime that is installed. Raises BadInput for a board that cannot be read."""
    facts = _read(options)
    facts.callables.extend(options.callables)
    if (pillow := _pillow_version()) is not None:
        facts.pillow = pillow
    return facts


def _read(options: ProbeOptions) -> task_pb2.Facts:
    if options.board is not None:
        return _simulated_facts(options.board, options.labels)
    from agent.device.facts import read_facts
    from agent.device.gpu import read_gpu
    from agent.runtime.registry import versions

    facts = read_facts(env=os.environ, runtimes=versions(), labels=options.labels, gpu=read_gpu())
    if options.threads is not None:
        facts.cpu_count = options.threads
    return facts


def probe_in_child(options: ProbeOptions) -> task_pb2.Facts:
    """The same by a child process: a driver that crashes on import takes the child, not the agent, and the libraries
    that it loads do not stay in the agent's memory. Raises BadInput as the child did, Infrastructure if it failed."""
    command = [PYTHON, "-m", "agent.cli", "probe", *options.arguments()]
    try:
        child = subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False, env=child_env(os.environ))
    except subprocess.TimeoutExpired:
        raise Infrastructure(f"`agent probe` took longer than {_PROBE_S:.0f} s", hint="run it by hand") from None
    if child.returncode != 0:
        last_words = child.stderr.decode(errors="replace").strip().removeprefix("error: ")
        if child.returncode == BadInput.exit_code:
            raise BadInput(last_words)
        raise Infrastructure(f"`agent probe` failed: {last_words[-500:]}", hint="run it by hand")
    return json_format.ParseDict(json.loads(child.stdout), task_pb2.Facts())


def _pillow_version() -> str | None:
    """Of the image library, where it is installed."""
    try:
        return version("pillow")
    except PackageNotFoundError:
        return None


def attempt_env(env: Mapping[str, str], *, threads: int | None, callables: Sequence[str] = ()) -> dict[str, str]:
    """The environment of attempts: with the users' code that may run, and the number of threads, where it is not that
    of the CPUs.

    A runtime starts as many threads as it may run on CPUs; a quota of less it does not see.
    """
    env = with_callables(env, callables)
    wanted = threads or usable_cpus(Path("/"))
    if threads is None and wanted >= len(os.sched_getaffinity(0)):
        return dict(env)
    return {**env, "JETFLEET_THREADS": str(wanted)}


def _simulated_facts(board: Path, labels: Mapping[str, str]) -> task_pb2.Facts:
    """What the file says, but for the runtimes: a simulated board has the simulated one and no other."""
    from agent.runtime.registry import open_runtime

    try:
        facts = json_format.Parse(board.read_text(), task_pb2.Facts())
    except OSError as error:
        raise BadInput(f"cannot read it: {error.strerror}", where=str(board)) from None
    except json_format.ParseError as error:
        raise BadInput(
            f"not the facts of a board: {error}", where=str(board), hint="see `agent probe` for the form"
        ) from None
    facts.simulated = True
    facts.runtimes.clear()
    facts.runtimes["simulated"] = open_runtime("simulated").version()
    facts.labels.update(labels)
    return facts
