"""The image files that a job's pipeline begins with, and what they become, before any model is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.intake.jobfile.image_content import content_fault
from controller.intake.jobfile.image_sizes import image_size
from controller.intake.jobfile.mistakes import Mistakes
from controller.intake.jobfile.spec import LoadedJob
from controller.intake.jobfile.yaml import Steps
from jetfleet.errors import BadInput
from jetfleet.pipeline.shapes import FILE, Frame, StepMistake, trace

_KINDS = (".jpg", ".jpeg", ".png")
_AT = ("pipeline", "input")
MOST_FILES, MOST_BYTES = 256, 256 << 20  # each variant lists them, and the agent holds them in memory


@dataclass(frozen=True)
class TracedFrame:
    """An image file with what its pixels become."""

    path: Path
    frame: Frame


def frame_files(loaded: LoadedJob) -> list[Path]:
    """Raises BadInput where one is missing, or there are none, or too many."""
    section = loaded.job.pipeline
    if section is None:
        return []
    if isinstance(section.input, str):
        files = _files_at(loaded, section.input, _AT)
    else:
        files = [path for at, name in enumerate(section.input) for path in _files_at(loaded, name, (*_AT, at))]
    size = sum(path.stat().st_size for path in files)
    if len(files) > MOST_FILES or size > MOST_BYTES:
        message = f"{len(files)} files of {size >> 20} MiB"
        raise loaded.document.error(_AT, message, expected=f"at most {MOST_FILES} files, and {MOST_BYTES >> 20} MiB")
    return files


def _files_at(loaded: LoadedJob, name: str, place: Steps) -> list[Path]:
    path = loaded.folder / name
    if not path.exists():
        expected = f"image files, or a folder of them; paths start at {loaded.folder.absolute()}"
        raise loaded.document.error(place, f"{name} does not exist", expected=expected)
    if not path.is_dir():
        return [path]
    inside = sorted(item for item in path.iterdir() if item.suffix.lower() in _KINDS and item.is_file())
    if not inside:
        raise loaded.document.error(place, f"{name} holds no images", expected=f"files ending in {', '.join(_KINDS)}")
    return inside


def refuse_damaged(loaded: LoadedJob, files: Sequence[Path]) -> None:
    """Raises BadInput with every file that no board could decode, by its name."""
    mistakes = Mistakes()
    for path in files if _decodes(loaded) else ():
        try:
            size = image_size(path)
            fault = content_fault(path, size) if size else "is not a JPEG or PNG file"
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        if fault:
            mistakes.add(loaded.document.error(_AT, f"{path.name} {fault}", expected="whole JPEG or PNG files"))
    mistakes.refuse()


def _decodes(loaded: LoadedJob) -> bool:
    return loaded.pipeline is not None and bool(loaded.pipeline.pre) and loaded.pipeline.pre[0].step == "decode"


def trace_frames(loaded: LoadedJob, files: Sequence[Path]) -> list[TracedFrame]:
    """Of files that are images. Raises BadInput at the first step that cannot be."""
    pipeline = loaded.pipeline
    if pipeline is None or not pipeline.pre:
        return []
    found = []
    for path in files:
        size = (image_size(path) if _decodes(loaded) else None) or (0, 0)
        frame = Frame(FILE, height=size[0], width=size[1])
        try:
            *_, last = trace(pipeline.pre, frame)
        except StepMistake as error:
            raise _placed(loaded, error, path, size) from error
        found.append(TracedFrame(path, last))
    return found


def _placed(loaded: LoadedJob, error: StepMistake, path: Path, size: tuple[int, int]) -> BadInput:
    of_image = f" ({path.name}, {size[0]} x {size[1]})" if error.index else ""
    place = ("pipeline", "pre", error.index)
    return loaded.document.error(place, f"{error.message}{of_image}", expected=error.expected)
