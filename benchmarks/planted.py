"""A planted difference, timed in turns by the agent's own processes: how often it is found, how soon, and by what else.

`python -m benchmarks.planted --pairs 60 --share 0.05 --threads 1`; `--share 0` holds a network against itself. `--tail`
plants the share in one of 33 inferences, so that p99 has it and p50 has not. A line a pair goes to stderr; none begins
after `--within` seconds.

Processes of a tail are of a fixed number: those that p50 asks for end when p50 is the same, and to wait for that took
two minutes a pair. A few pairs say little of a rate, so series are also drawn from the processes of all of them.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

import numpy as np

from benchmarks.attempts import LocalAttempts
from benchmarks.chains import chain
from benchmarks.figure import Figure, emit
from benchmarks.rivals import RIVALS, Samples, apart
from jetfleet.stats.decision import MARGIN, Relation
from jetfleet.stats.interleaved import (
    CONFIDENCE,
    Finding,
    deviation_of,
    find,
    looks_at,
    looks_for,
    power_at_one_look,
    procedure_of,
)
from jetfleet.stats.looks import Looks
from jetfleet.stats.welch import paired_ratio
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENGINE,
    ARTIFACT_ROLE_MODEL_FP32,
    LOWERING_TYPED_GRAPH,
    PRECISION_FP32,
    BenchTask,
    BuildTask,
    MeasureOptions,
    OutputCheck,
    Run,
    Subject,
    TaskSpec,
    TensorSpec,
)
from testing.processes import BrokenRun

_WORD = {Relation.ABOVE: 1, Relation.BELOW: -1}
_TAIL_SHARE = 0.03
_TAIL_PROCESSES = 12
_DRAWN = 2000  # series


@dataclass(frozen=True)
class Experiment:
    """`share` of the layers is added to the second network; 0: it is the first one again."""

    pairs: int = 10
    share: float = 0.05
    layers: int = 40
    threads: str = "1"
    runtime: str = "onnxruntime"
    placement: str = "cpu"
    rows: int = 64
    width: int = 256
    seconds: float = 1.0
    runs: int = 0
    within: float = 1500.0
    is_tail: bool = False

    @property
    def processes(self) -> int:
        """Of a pair; 0: until a planned look decides."""
        return self.runs or (_TAIL_PROCESSES if self.is_tail else 0)

    @property
    def metric(self) -> str:
        return "p99_ms" if self.is_tail else "p50_ms"

    @property
    def added(self) -> int:
        return round(self.share * self.layers)

    @property
    def planted(self) -> float:
        """What it amounts to."""
        return self.added / self.layers

    @property
    def name(self) -> str:
        what = f"{self.planted:.1%} of {self.metric}" if self.added else f"A/A by {self.metric}"
        return f"{what}, {self.runtime} on {self.placement}, threads {self.threads}"

    def networks(self) -> tuple[bytes, bytes]:
        """In the tail all layers count: those of every inference are half of them."""
        return self._network(0), self._network(self.added)

    def _network(self, added: int) -> bytes:
        half = self.layers // 2 if self.is_tail else 0
        if not half:
            return chain(self.layers + added, rows=self.rows, width=self.width)
        return chain(half, rows=self.rows, width=self.width, tail=(_TAIL_SHARE, self.layers - half + added))


@dataclass
class Answered:
    """One A/B, as it was answered."""

    wall_s: float
    found: Finding
    p50_ms: float
    ratios: list[float]  # of each process
    claimed: float  # the power that the product has of what was planted, by the spread that it saw
    rivals: dict[str, int] = field(default_factory=dict)

    @property
    def sign(self) -> int:
        """1 slower, -1 faster, 0 the same or not known."""
        return _WORD.get(self.found.relation, 0)


def build(attempts: LocalAttempts, experiment: Experiment, model: bytes) -> Subject:
    inputs = [TensorSpec(name="x", dtype="float32", shape=[experiment.rows, experiment.width])]
    key = hashlib.sha256(model).hexdigest()
    task = BuildTask(
        engine_key=key,
        runtime=experiment.runtime,
        precision=PRECISION_FP32,
        lowering=LOWERING_TYPED_GRAPH,
        placement=experiment.placement,
        inputs=inputs,
        artifacts=[attempts.put(model, ARTIFACT_ROLE_MODEL_FP32, "model.onnx")],
    )
    built = attempts.run(TaskSpec(name="build", build=task)).built.engine
    content = attempts.output(built.sha256).read_bytes()
    return Subject(
        variant_key=key[:8],
        engine_key=key,
        engine=attempts.put(content, ARTIFACT_ROLE_ENGINE, "engine"),
        placement=experiment.placement,
        streams=1,
        batch=1,
        runtime=experiment.runtime,
        precision=PRECISION_FP32,
        inputs=inputs,
        check=OutputCheck(rule=OutputCheck.RULE_OFF),
        options={"threads": experiment.threads} if experiment.placement == "cpu" else {},
    )


def one_pair(attempts: LocalAttempts, experiment: Experiment, subjects: Sequence[Subject]) -> Answered:
    options = MeasureOptions(mode=MeasureOptions.MODE_LATENCY, runs=experiment.processes)
    options.warmup.FromMilliseconds(500)
    options.min_duration.FromMilliseconds(round(experiment.seconds * 1000))
    options.max_duration.FromMilliseconds(round(experiment.seconds * 10_000))
    bench = BenchTask(schedule=BenchTask.SCHEDULE_INTERLEAVED, subjects=subjects, measure=options)
    began = time.monotonic()
    measured = attempts.run(TaskSpec(name="a against b", bench=bench)).measured
    wall_s = time.monotonic() - began
    turns = measured.interleaved
    ratios = [
        run.ratios[experiment.metric] for run in turns.runs if not run.left_out and experiment.metric in run.ratios
    ]
    looks = looks_at(turns.looks)
    found = find(ratios, looks, margin=turns.margin, confidence=turns.confidence)
    if found is None:
        raise BrokenRun(f"{len(ratios)} processes have a {experiment.metric}")
    first, second = (samples(attempts, part.runs) for part in measured.measurements)
    rivals = {name: rival(*apart(first, second)) for name, rival in RIVALS.items()} if len(first) > 1 else {}
    p50_ms = float(np.median(np.concatenate(first)))
    return Answered(wall_s, found, p50_ms, ratios, claimed_power(experiment, ratios, looks), rivals)


def claimed_power(experiment: Experiment, ratios: Sequence[float], looks: Looks) -> float:
    """Of p50 by all looks, for they are asked about it; of a tail by the one that there is."""
    found = paired_ratio(ratios)
    if not experiment.is_tail:
        rule = procedure_of(ratios, looks, margin=MARGIN, confidence=CONFIDENCE)
        return rule.power(experiment.planted, deviation_of(found, len(ratios)), len(ratios))
    return power_at_one_look(found, looks, len(ratios), outside=1 - CONFIDENCE, difference=experiment.planted)


def samples(attempts: LocalAttempts, runs: Iterable[Run]) -> Samples:
    files = [run.samples.sha256 for run in runs]
    return [np.load(attempts.output(sha256), allow_pickle=False) for sha256 in files]


def planted(experiment: Experiment) -> Iterator[Figure]:
    pairs: list[Answered] = []
    with tempfile.TemporaryDirectory() as folder:
        attempts = LocalAttempts(Path(folder))
        subjects = [build(attempts, experiment, model) for model in experiment.networks()]
        began = time.monotonic()
        while len(pairs) < experiment.pairs and time.monotonic() - began < experiment.within:
            pairs.append(one_pair(attempts, experiment, subjects))
            _tell(len(pairs), pairs[-1])
    yield from figures(experiment, pairs)


def figures(experiment: Experiment, pairs: Sequence[Answered]) -> Iterator[Figure]:
    count = f"{len(pairs)} pairs of {median(pair.p50_ms for pair in pairs):.3g} ms"
    answers = Counter(pair.found.relation.name for pair in pairs)
    told = ", ".join(f"{name} {times}" for name, times in sorted(answers.items()))
    wanted = 1 if experiment.added else 0
    right = sum(pair.sign == wanted for pair in pairs) / len(pairs)
    wrong = sum(pair.sign not in (0, wanted) for pair in pairs) / len(pairs)
    if wanted:
        least = None if experiment.is_tail else 0.95 if experiment.planted >= 0.05 else 0.9
        yield Figure(f"{experiment.name}: found", right, "share", at_least=least, note=f"{count}: {told}")
        claimed = fmean(pair.claimed for pair in pairs)
        yield Figure(f"{experiment.name}: power that was claimed", claimed, "share", note="mean")
        if experiment.is_tail:
            yield from _drawn(experiment, pairs)
    yield Figure(f"{experiment.name}: told what is not so", wrong, "share", at_most=0.01, note=f"{count}: {told}")
    off = abs(median(pair.found.ratio.ratio for pair in pairs) / (1 + experiment.planted) - 1)
    yield Figure(f"{experiment.name}: median ratio off by", 100 * off, "%", at_most=None if wanted else 0.2)
    spread = median(pair.found.ratio.standard_error * pair.found.n**0.5 for pair in pairs)
    yield Figure(f"{experiment.name}: ratio of one process, standard deviation", 100 * spread, "%", note="median")
    yield Figure(
        f"{experiment.name}: wall time of a comparison", median(pair.wall_s for pair in pairs), "s", at_most=60
    )
    yield Figure(f"{experiment.name}: processes of a comparison", median(pair.found.n for pair in pairs), "")
    yield from _beside(experiment, pairs, wanted)


def _drawn(experiment: Experiment, pairs: Sequence[Answered]) -> Iterator[Figure]:
    """How often it is found, and with which power that is claimed, in series of the processes that there were."""
    ratios = [ratio for pair in pairs for ratio in pair.ratios]
    chance, size = random.Random(0), experiment.processes
    looks, told, claims = looks_for(size), 0, []
    for number in range(_DRAWN):
        series = chance.choices(ratios, k=size)
        found = find(series, looks, margin=MARGIN, confidence=CONFIDENCE)
        told += found is not None and found.relation is Relation.ABOVE
        if number % 10 == 0:
            claims.append(claimed_power(experiment, series, looks))
    note = f"{_DRAWN} series of {size} drawn from {len(ratios)} processes"
    yield Figure(f"{experiment.name}: found in drawn series", told / _DRAWN, "share", note=note)
    apart = 100 * abs(told / _DRAWN - fmean(claims))
    name = f"{experiment.name}: claimed power of drawn series off by"
    yield Figure(name, apart, "points", at_most=10, note=f"{fmean(claims):.1%} claimed")


def _beside(experiment: Experiment, pairs: Sequence[Answered], wanted: int) -> Iterator[Figure]:
    judged = [pair for pair in pairs if pair.rivals]
    for name in RIVALS if judged and not experiment.is_tail else ():
        signs = [pair.rivals[name] for pair in judged]
        if wanted:
            yield Figure(f"{experiment.name}: found by {name}", signs.count(wanted) / len(signs), "share")
        wrong = sum(sign not in (0, wanted) for sign in signs) / len(signs)
        yield Figure(f"{experiment.name}: told what is not so by {name}", wrong, "share")


def _tell(number: int, pair: Answered) -> None:
    line = {
        "pair": number,
        "answer": pair.found.relation.name,
        "ratio": round(pair.found.ratio.ratio, 5),
        "low": round(pair.found.low, 5),
        "high": round(pair.found.high, 5),
        "processes": pair.found.n,
        "wall_s": round(pair.wall_s, 1),
        "p50_ms": round(pair.p50_ms, 3),
        "rivals": list(pair.rivals.values()),
    }
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="tiny sizes: is the program alive? The values mean nothing")
    for name in ("pairs", "layers", "rows", "width", "runs"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Experiment, name))
    for name in ("share", "seconds", "within"):
        parser.add_argument(f"--{name}", type=float, default=getattr(Experiment, name))
    for name in ("threads", "runtime", "placement"):
        parser.add_argument(f"--{name}", default=getattr(Experiment, name))
    parser.add_argument("--tail", action="store_true", dest="is_tail")
    given = vars(parser.parse_args(arguments))
    if given.pop("tiny"):
        given |= {"pairs": 1, "layers": 4, "share": 0.5, "runs": 2, "seconds": 0.05}
    emit("planted", planted(Experiment(**given)))


if __name__ == "__main__":
    main(sys.argv[1:])
