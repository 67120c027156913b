"""A scripted CI whose model got a twentieth slower, or did not: how often `controller gate` stops it, how soon, why.

Ten of each are real: `controller submit`, then `controller gate` with its exit code, JUnit and Markdown, on an agent of
this machine, whatever else runs beside it. The slower network has real extra layers. A hundred of each are simulated:
ratios with the spread that the real ones had and with others go through the agent's stopping rule and the gate's own.
"""

import json
import math
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, variance

from benchmarks.answers import paired_rows
from benchmarks.chains import chain
from benchmarks.figure import Figure, main
from benchmarks.processes import CONTROLLER, agent, controller, scratch
from controller.analysis.compare import compare
from controller.analysis.gate import gate_cells, read_limits
from controller.model.gate import CellVerdict
from jetfleet.stats import interleaved, proportions
from jetfleet.stats.regression import LimitRule
from testing.processes import BrokenRun

_LAYERS, _ADDED = 40, 2  # a twentieth more
_ROWS, _WIDTH = 64, 256  # 3 to 4 ms on one thread
_LIMITS = "p50=3%"
_SPREADS = (0.005, 0.01, 0.023)  # of the ratio of a process: a quiet machine, a noisy one, a bad hour (facts, 32)
_GATES, _SIMULATED = 10, 100
_RED = 3  # exit code
_STEP_LIMIT_S = 1200.0
_REAL_WITHIN_S = 3000.0  # no other gate is begun after that: figures say how many there were
_JOB = """
apiVersion: jetfleet/v1
name: {name}
model: {{onnx: {model}}}
variants: {{runtime: [onnxruntime], precision: [fp32]}}
options: {{onnxruntime: {{threads: 1}}}}
{measure}
"""
_TINY = "measure: {runs: 2, warmup_s: 0.05, seconds: 0.05}"


@dataclass(frozen=True)
class Gate:
    """What one run of the scripted CI came to."""

    code: int
    verdict: str
    reason: str
    took_s: float
    processes: int
    told_alike: bool  # by the exit code, JSON, JUnit and Markdown

    @property
    def is_red(self) -> bool:
        return self.code == _RED


class ScriptedCi:
    """A controller, an agent, and a baseline called main."""

    def __init__(self, folder: Path, socket: str, *, layers: int, measure: str = "") -> None:
        self._folder, self._socket, self._layers, self._measure = folder, socket, layers, measure
        self._spreads: list[float] = []

    def submit(self, name: str, added: int) -> int:
        """A job that ran."""
        model, job = self._folder / f"{name}.onnx", self._folder / f"{name}.yaml"
        model.write_bytes(chain(self._layers + added, rows=_ROWS, width=_WIDTH))
        job.write_text(_JOB.format(name=name, model=model, measure=self._measure))
        done = self.run("submit", str(job), "--wait", "--json")
        if done.returncode:
            raise BrokenRun(done.stderr)
        return int(json.loads(done.stdout)["job"]["id"])

    def gate(self, job_id: int) -> Gate:
        junit, markdown = self._folder / "gate.xml", self._folder / "gate.md"
        began = time.monotonic()
        done = self.run(
            *("gate", str(job_id), "--baseline", "main", "--max-regression", _LIMITS, "--json"),
            *("--junit", str(junit), "--markdown", str(markdown)),
        )
        took_s = time.monotonic() - began
        if done.returncode not in (0, _RED):
            raise BrokenRun(done.stderr)
        report = json.loads(done.stdout)["gate"]
        alike = _junit_is_red(junit) == (done.returncode == _RED) and markdown.read_text().startswith(
            f"### {report['verdict']}"
        )
        ratios = self._ratios()
        if len(ratios) > 1:
            self._spreads.append(variance(map(math.log, ratios)))
        reason = "; ".join([*(cell["reason"] for cell in report["cells"]), *report["missing"], *report["notes"]])
        return Gate(done.returncode, report["verdict"], reason, took_s, len(ratios), alike)

    @property
    def spread(self) -> float:
        """Of the ratio of a process, as a standard deviation: typical of the gates so far."""
        return math.sqrt(median(self._spreads or [0.0]))

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [CONTROLLER, "--address", self._socket, *words], capture_output=True, text=True, timeout=_STEP_LIMIT_S
        )

    def _ratios(self) -> list[float]:
        """Of the newest pair that was timed in turns."""
        database = sqlite3.connect(f"file:{self._folder / 'state' / 'fleet.db'}?mode=ro", uri=True)
        found = database.execute(
            "SELECT ratio FROM v_ratios WHERE metric = 'p50_ms' AND left_out IS NULL"
            " AND task_id = (SELECT max(task_id) FROM v_ratios)"
        ).fetchall()
        database.close()
        return [ratio for (ratio,) in found]


def _junit_is_red(path: Path) -> bool:
    """By its head: a CI system counts."""
    return ' failures="0"' not in path.read_text().partition("<testcase")[0]


def gates(tiny: bool) -> Iterator[Figure]:
    times, layers, added = (1, 4, 4) if tiny else (_GATES, _LAYERS, _ADDED)
    with scratch() as folder, controller(folder) as served, agent(served, folder):
        ci = ScriptedCi(folder, served.address, layers=layers, measure=_TINY if tiny else "")
        slower, equal = _by_turns(ci, added, times)
    yield from _real(slower, equal, ci.spread)
    for spread in (ci.spread, *_SPREADS):
        yield from _simulated(spread, 5 if tiny else _SIMULATED)


def _by_turns(ci: ScriptedCi, added: int, times: int) -> tuple[list[Gate], list[Gate]]:
    """A slower network, the same one, and so on: what the machine does meanwhile is for both."""
    ci.run("baseline", "set", "main", str(ci.submit("baseline", 0)))
    slower, equal = list[Gate](), list[Gate]()
    began = time.monotonic()
    while len(equal) < times and time.monotonic() - began < _REAL_WITHIN_S:
        slower.append(ci.gate(ci.submit("slower", added)))
        equal.append(ci.gate(ci.submit("equal", 0)))
        sys.stderr.write(f"slower: {slower[-1]}\nequal: {equal[-1]}\n")
    return slower, equal


def _real(slower: Sequence[Gate], equal: Sequence[Gate], spread: float) -> Iterator[Figure]:
    n = len(slower)
    red, alarms = (sum(gate.is_red for gate in done) for done in (slower, equal))
    yield Figure(f"5 % slower, red of {n} real gates", red, "", at_least=0.95 * n, note=_told(slower))
    wrong = sum(gate.verdict != CellVerdict.FAILED.value for gate in slower)
    yield Figure("of them red for another reason than FAILED", wrong, "", note=_reasons(slower, CellVerdict.FAILED))
    yield Figure(f"the same again, red of {n} real gates", alarms, "", at_most=0.01 * n, note=_told(equal))
    both = [*slower, *equal]
    alike = sum(gate.told_alike for gate in both)
    yield Figure("exit code, JUnit and Markdown say the same", alike, "gates", at_least=len(both))
    yield Figure("a gate, median", median(gate.took_s for gate in both), "s", note=_longest(both))
    yield Figure("its processes, median", median(gate.processes for gate in both), "")
    yield Figure("ratio of one process, standard deviation", 100 * spread, "%", note="median over gates")


def _told(done: Sequence[Gate]) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in sorted(Counter(gate.verdict for gate in done).items()))
    return f"{counts}; exit codes {', '.join(sorted({str(gate.code) for gate in done}))}"


def _reasons(done: Sequence[Gate], usual: CellVerdict) -> str:
    return " | ".join(gate.reason for gate in done if gate.verdict != usual.value)


def _longest(done: Sequence[Gate]) -> str:
    return f"{min(gate.took_s for gate in done):.0f} to {max(gate.took_s for gate in done):.0f} s"


def _simulated(spread: float, times: int) -> Iterator[Figure]:
    for added, bar in ((0.05, {"at_least": 0.95 * times}), (0.0, {"at_most": 0.01 * times})):
        chance = random.Random(f"{spread:.4f} {added}")
        found = [simulated_gate(chance, added, spread) for _ in range(times)]
        red = sum(verdict is not CellVerdict.PASSED for verdict in found)
        failed = found.count(CellVerdict.FAILED)
        low, high = proportions.Proportion(red / times, times).interval()
        what = f"{added:.0%} slower" if added else "the same again"
        note = f"{failed} FAILED, {red - failed} CANNOT_TELL; 95 % interval {100 * low:.1f} to {100 * high:.1f} %"
        name = f"{what}, red of {times} simulated, ratios move by {spread:.2%}"
        yield Figure(name, red, "", note=note, **bar)


def simulated_gate(chance: random.Random, slower: float, spread: float) -> CellVerdict:
    """Processes until a planned look tells, as the agent runs them, and the verdict that the gate makes of them."""
    (limit,) = read_limits(_LIMITS)
    looks, ratios = interleaved.LOOKS, list[float]()
    rule, draw = LimitRule(looks), partial(chance.gauss, math.log1p(slower), spread)
    while len(ratios) < looks.at[-1] and not rule.is_over({limit.metric: ratios}, {limit.metric: limit.limit}):
        ratios.append(math.exp(draw()))
    (cell,) = gate_cells({limit: compare(paired_rows(ratios, looks.at))})
    return cell.verdict


if __name__ == "__main__":
    main("gates", gates)
