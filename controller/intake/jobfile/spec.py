"""Reads job.yaml: text to a JobFile, its targets and its variants; all that is wrong is told at once."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from controller.intake.jobfile import check, dim_axes, matrix, profiles
from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.model_error import calibration_missing
from controller.intake.jobfile.schema import JobFile, json_schema
from controller.intake.jobfile.schema_mistakes import read_job
from controller.intake.jobfile.selectors import targets_of
from controller.intake.jobfile.unused_options import refuse_unused
from controller.intake.jobfile.yaml import Document, parse, read
from controller.model.job import Limits, Measure, OutputCheck, Precision, Target

__all__ = ["LoadedJob", "json_schema", "load_document", "load_spec", "load_text"]


@dataclass(frozen=True)
class LoadedJob:
    """A job file that is right in itself; its model was not looked at yet."""

    path: Path
    document: Document
    job: JobFile
    targets: tuple[Target, ...]
    points: tuple[matrix.VariantPoint, ...]

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def measure(self) -> Measure:
        section = self.job.measure
        longest = section.max_seconds if section.max_seconds is not None else max(Measure.max_s, section.seconds)
        return Measure(warmup_s=section.warmup_s, min_s=section.seconds, max_s=longest)

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
    loaded = LoadedJob(path, document, job, targets, points)
    if points:
        _check_points(loaded, wrong, mistakes)
    if not wrong & {"measure", "limits"}:
        with mistakes:
            _refuse_short_limit(loaded)
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
    if "model" not in wrong:
        with mistakes:
            _refuse_missing_calibration(loaded)
        with mistakes:
            dim_axes.check_axes(job.variants, job.model, document)


def _refuse_short_limit(loaded: LoadedJob) -> None:
    if loaded.measure.warmup_s + loaded.measure.max_s > loaded.limits.bench_s:
        raise loaded.document.error(
            ("measure",) if loaded.job.measure.model_fields_set else ("limits",),
            f"warm-up and timed window may take {loaded.measure.warmup_s + loaded.measure.max_s:g} s",
            expected=f"less than limits.bench_s, {loaded.limits.bench_s} s",
        )


def _refuse_missing_calibration(loaded: LoadedJob) -> None:
    """An ONNX file may be quantised already, which only reading it tells: the model child asks for its data."""
    model = loaded.job.model
    places = dict(matrix.precision_places(loaded.job.variants, loaded.points))
    if Precision.INT8 in places and model.onnx is None and not model.data.calibration:
        error = calibration_missing(places[Precision.INT8], evaluation=bool(model.data.evaluation))
        raise loaded.document.error(error.steps, error.message, expected=error.expected, hint=error.hint)
