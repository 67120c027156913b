"""Reads job.yaml: text to a JobFile, its targets and its variants; all that is wrong is told at once."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from controller.intake.jobfile import check, dim_axes, matrix, profiles
from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.model_error import calibration_missing
from controller.intake.jobfile.pipeline import read_pipeline
from controller.intake.jobfile.schema import JobFile, SoakSection, json_schema
from controller.intake.jobfile.schema_mistakes import read_job
from controller.intake.jobfile.selectors import targets_of
from controller.intake.jobfile.unused_options import refuse_unused
from controller.intake.jobfile.yaml import Document, parse, read
from controller.model.job import Arrivals, Limits, Measure, Mode, OutputCheck, Precision, Soak, Target
from jetfleet.pipeline.steps import Pipeline

__all__ = ["LoadedJob", "json_schema", "load_document", "load_spec", "load_text"]

DEFAULT_STREAMS = 2  # copies of one inference beside the work of another


@dataclass(frozen=True)
class LoadedJob:
    """A job file that is right in itself; its model was not looked at yet."""

    path: Path
    document: Document
    job: JobFile
    targets: tuple[Target, ...]
    points: tuple[matrix.VariantPoint, ...]
    pipeline: Pipeline | None = None

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def measure(self) -> Measure:
        section = self.job.measure
        longest = section.max_seconds if section.max_seconds is not None else max(Measure.max_s, section.seconds)
        return Measure(
            mode=Mode(section.mode),
            runs=0 if section.runs == "auto" else section.runs,
            warmup_s=section.warmup_s,
            min_s=section.seconds,
            max_s=longest,
            soak=_soak(section.soak),
            streams=(section.streams or DEFAULT_STREAMS) if section.mode == Mode.THROUGHPUT.value else 1,
            rate_hz=section.rate_hz or 0.0,
            arrivals=Arrivals(section.arrivals or Arrivals.FIXED),
            deadline_s=None if section.deadline_ms is None else section.deadline_ms / 1e3,
            arrivals_seed=section.seed or 0,
            margin=section.margin,
            confidence=section.confidence,
        )

    @property
    def limits(self) -> Limits:
        section = self.job.limits
        return Limits(build_s=section.build_s, bench_s=section.bench_s, deadline_s=section.deadline_s)

    def check_for(self, precision: Precision) -> OutputCheck:
        """The rule that a variant's outputs are held to."""
        return check.check_for(self.job.check, precision)


def load_spec(path: Path) -> LoadedJob:
    """Checks a job file without touching its model: fast. Raises BadInput."""
    return load_document(path, read(path))


def load_text(text: str, path: Path) -> LoadedJob:
    """The same for text that is not on disk; `path` is where it would be."""
    return load_document(path, parse(text, str(path)))


def load_document(path: Path, document: Document) -> LoadedJob:
    """The same for a document; `path` is where its file is or would be: paths in it start at that folder."""
    mistakes = Mistakes()
    job, wrong = read_job(document, mistakes)
    targets: tuple[Target, ...] = ()
    points: tuple[matrix.VariantPoint, ...] = ()
    if "targets" not in wrong:
        with mistakes:
            targets = targets_of(job.targets, document)
    if "variants" not in wrong:
        with mistakes:
            points = matrix.expand(job.variants, document)
    pipeline = read_pipeline(job.pipeline, document, mistakes) if job.pipeline is not None else None
    loaded = LoadedJob(path, document, job, targets, points, pipeline)
    if points:
        _check_points(loaded, wrong, mistakes)
    if not wrong & {"measure", "limits"}:
        with mistakes:
            _refuse_short_limit(loaded)
        with mistakes:
            _refuse_streams(loaded)
    mistakes.refuse()
    return loaded


def _check_points(loaded: LoadedJob, wrong: Collection[str], mistakes: Mistakes) -> None:
    """What the variants make wrong of other sections, but of those that are wrong in themselves."""
    job, points, document = loaded.job, loaded.points, loaded.document
    if "options" not in wrong:
        with mistakes:
            refuse_unused(job.options, points, document)
        with mistakes:
            profiles.check_order(job.options, points, document)
        if "measure" not in wrong:
            with mistakes:
                _refuse_paced_ahead(loaded)
    if "model" not in wrong:
        with mistakes:
            _refuse_missing_calibration(loaded)
        with mistakes:
            dim_axes.check_axes(job.variants, job.model, document)


def _refuse_streams(loaded: LoadedJob) -> None:
    """A pipeline's steps are one thread's, and a user's function may hold state."""
    measure = loaded.measure
    if loaded.pipeline is not None and measure.mode is Mode.THROUGHPUT and measure.streams != 1:
        place = ("measure", "streams") if loaded.job.measure.streams is not None else ("measure", "mode")
        message = f"{measure.streams} inferences at a time beside a pipeline"
        raise loaded.document.error(place, message, expected="streams: 1, or mode: latency or paced")


def _soak(asked: bool | SoakSection) -> Soak | None:
    section = SoakSection() if asked is True else asked
    return Soak(section.max_s, section.celsius_per_minute) if section else None


def _refuse_short_limit(loaded: LoadedJob) -> None:
    measure = loaded.measure
    soak_s = measure.soak.limit_s if measure.soak else 0.0
    longest_s = soak_s + measure.shortest_bench_s
    if longest_s > loaded.limits.bench_s:
        raise loaded.document.error(
            ("measure",) if loaded.job.measure.model_fields_set else ("limits",),
            f"{'soak, ' if soak_s else ''}warm-up and timed windows may take {longest_s:g} s",
            expected=f"less than limits.bench_s, {loaded.limits.bench_s} s",
        )


def _refuse_paced_ahead(loaded: LoadedJob) -> None:
    """An arrival that is enqueued before the last answer waits for it all the same."""
    if loaded.job.measure.mode != Mode.PACED.value:
        return
    for point in loaded.points:
        if {**loaded.job.options.text(point.runtime), **dict(point.options)}.get("inflight", "1") != "1":
            raise loaded.document.error(
                ("measure", "mode"),
                f"mode paced has one inference in flight, and {point.key} is to have more",
                expected="inflight: 1, its default",
            )


def _refuse_missing_calibration(loaded: LoadedJob) -> None:
    """An ONNX file may be quantised already, which only reading it tells: the model child asks for its data."""
    model = loaded.job.model
    places = dict(matrix.precision_places(loaded.job.variants, loaded.points))
    if Precision.INT8 in places and model.onnx is None and not model.data.calibration:
        error = calibration_missing(places[Precision.INT8], evaluation=bool(model.data.evaluation))
        raise loaded.document.error(error.steps, error.message, expected=error.expected, hint=error.hint)
