"""What TensorRT says while it works: passed on to the log, counted, and told again as the reason of a failure.

TensorRT answers a failure with None or False; the reason stands only in the words that it gave its logger and its
error recorder before. With a recorder set, some versions tell errors to it alone.
"""

import logging
import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeVar

from agent.runtime.base import DeviceFault

_log = logging.getLogger("tensorrt")

_LEVELS = {
    "INTERNAL_ERROR": logging.ERROR,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "INFO": logging.INFO,
}
_KEPT_LINES = 20_000
_KEPT_WARNINGS = 20
_MOST_REASONS = 4  # of a failure's words
_LINE = 300  # characters of each

_OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|OUT_OF_MEMORY|requested amount of GPU memory|std::bad_alloc|NvMapMemAlloc"
    r"|cudaErrorMemoryAllocation|STATUS_ALLOC_FAILED|insufficient (device |GPU )?memory"
    r"|failed to allocate|not enough (free |device |GPU |host )*memory",
    re.IGNORECASE,
)
_SKIPPED = re.compile(r"skipping tactic.*memory", re.IGNORECASE | re.DOTALL)
_REQUEST = re.compile(r"tactic device request.*available", re.IGNORECASE | re.DOTALL)
_NO_TACTIC = re.compile(r"could not find any implementation|no implementation", re.IGNORECASE)
# What follows from an error that was told before it.
_CONSEQUENCE = re.compile(
    r"engine != nullptr|could not build|parseFromFile.*failed|--- (Begin|End) node", re.IGNORECASE
)
# What is said again for every layer or scale: told once, with how often.
_REPEATED = re.compile(r"\b(FP16|BF16|half)\b|subnormal|affected by this issue|unsupported on DLA", re.IGNORECASE)
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\([A-Z_]+\)|\S*/\S*|\S*(?<![FfPpTt])\d[\w.+-]*")
_ACTIVATION = re.compile(r"Total Activation Memory: (\d+)")
# In every line that one of these patterns is for. Most lines are verbose, and a build waits for each of them.
_OF_MEMORY = "emory"
_ALLOCATION = "FAILED_ALLOCATION"  # a member of trt.ErrorCodeTRT
# `[network.cpp::validate::3810] Error Code 4: API Usage Error (...)` and ` In validate at /src/network.cpp:3810)`.
_SOURCE = re.compile(r"^\[[\w./]+::\S+::\d+\] |\.? \(?In \w+ at [\w./-]+:\d+(?=\)*$)|^[\w./-]+\.[ch]pp:\d+: ")


class BuilderLog:
    """What was said since this began to listen, and an IErrorRecorder's methods.

    Called from TensorRT's threads, so behind a lock. `thread` is the one that made this, and works with TensorRT.
    `verbose`: also what is VERBOSE of DLA, the one use there is for it; else nothing of that reaches this.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self.thread = threading.get_ident()
        self.keeps_verbose = verbose
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)  # what is not VERBOSE, and whatever speaks of DLA
        self.activation_bytes: int | None = None
        self._lock = threading.RLock()  # a TensorRT object that is collected meanwhile logs as well, in this thread
        self._errors: list[str] = []
        self._warnings: dict[str, list[str]] = {}  # TensorRT's, by kind, in the order in which they came
        self._remarks: dict[str, None] = {}  # warnings of our own, which explain no failure
        self._aside: list[str] | None = None  # where errors go meanwhile
        self._recorded: list[tuple[Any, str]] = []
        self._skipped = self._requests = 0

    def hear(self, severity: str, message: str) -> None:
        with self._lock:
            self._keep(severity, message)

    @property
    def errors(self) -> list[str]:
        """What was recorded, then what was logged as an error."""
        return [description for _, description in self._recorded] + self._errors

    @property
    def warnings(self) -> list[str]:
        """Distinct, the first of them; ours before TensorRT's, of which what is said of each layer is one."""
        return [*self._remarks, *(_folded(texts) for texts in self._warnings.values())]

    @property
    def tactics_skipped(self) -> int:
        """For lack of memory. Some versions tell the request, some the skipping, some both."""
        return max(self._skipped, self._requests)

    def warn(self, message: str) -> None:
        """Adds a warning of our own to TensorRT's."""
        _log.warning("%s", message)
        with self._lock:
            self._remarks.setdefault(trimmed(message))

    @contextmanager
    def aside(self) -> Iterator[list[str]]:
        """Gathers the errors of a call that may be refused without harm: none of them explains a later failure."""
        with self._lock:
            said: list[str] = []
            self._aside = said
        try:
            yield said
        finally:
            with self._lock:
                self._aside = None

    def reason(self) -> str:
        """Why it failed, in TensorRT's words."""
        warned = (text for texts in self._warnings.values() for text in texts[:1])
        return decisive(self.errors) or decisive(warned) or "TensorRT gave no reason"

    def out_of_memory(self) -> bool:
        """Whether a failure is one of memory."""
        codes = [getattr(code, "name", "") for code, _ in self._recorded]
        return _ALLOCATION in codes or ran_out_of_memory(self.errors, self.tactics_skipped)

    def get_num_errors(self) -> int:
        """What TensorRT calls; the bindings' own property `num_errors` comes here as well."""
        return len(self._recorded)

    def get_error_code(self, index: int) -> Any:
        return self._recorded[index][0]

    def get_error_desc(self, index: int) -> str:
        return self._recorded[index][1]

    def has_overflowed(self) -> bool:
        return False

    def clear(self) -> None:
        """Nothing: TensorRT clears the stack before some calls, and the reason would be lost."""

    def report_error(self, code: Any, description: str) -> bool:
        with self._lock:
            if self._aside is None:
                self._recorded.append((code, description))
            else:
                self._aside.append(description)
        _log.error("%s", description)
        return False

    def _keep(self, severity: str, message: str) -> None:
        if severity in _LEVELS or "DLA" in message or "Dla" in message:
            self.lines.append(message)
        if severity in ("INTERNAL_ERROR", "ERROR"):
            (self._errors if self._aside is None else self._aside).append(message)
        elif severity == "WARNING":
            self._warn(message)
        if _OF_MEMORY in message:
            self._count(message)

    def _count(self, message: str) -> None:
        self._skipped += bool(_SKIPPED.search(message))
        self._requests += bool(_REQUEST.search(message))
        if found := _ACTIVATION.search(message):
            self.activation_bytes = int(found[1])

    def _warn(self, message: str) -> None:
        text = trimmed(message)
        kind = _VARYING.sub("*", text) if _REPEATED.search(text) else text
        if kind in self._warnings or len(self._warnings) < _KEPT_WARNINGS:
            self._warnings.setdefault(kind, []).append(text)


def _folded(texts: Sequence[str]) -> str:
    more = len(set(texts)) - 1
    return f"{texts[0]} (and {more} more like it)" if more else texts[0]


def decisive(messages: Iterable[str]) -> str:
    """The few that say why, each once and in one line: causes before what follows from them, memory before all."""
    distinct = list(dict.fromkeys(text for message in messages if (text := trimmed(message))))
    distinct.sort(key=lambda text: (not _OUT_OF_MEMORY.search(text), bool(_CONSEQUENCE.search(text))))
    return "; ".join(distinct[:_MOST_REASONS])


def trimmed(message: str) -> str:
    """One line without TensorRT's own source positions, and not too long."""
    line = _SOURCE.sub("", " ".join(message.split())).strip()
    return line if len(line) <= _LINE else line[: _LINE - 3] + "..."


def ran_out_of_memory(errors: Iterable[str], skipped: int) -> bool:
    """From the words of a failure; `skipped` counts the tactics that there was no memory to try.

    A skipped tactic alone is only slower, unless it was the last one for its layer.
    """
    messages = list(errors)
    if any(_OUT_OF_MEMORY.search(message) for message in messages):
        return True
    return skipped > 0 and (not messages or any(_NO_TACTIC.search(message) for message in messages))


def implement(interface: Any, methods: object, names: Iterable[str]) -> Any:
    """An object of one of TensorRT's callback interfaces that hands these calls to `methods`.

    A class made here and now, because its base is only known when a TensorRT has been imported. The base's own
    __init__ runs, which TensorRT demands. The caller keeps the object for as long as TensorRT may call it.
    """
    calls = {name: staticmethod(getattr(methods, name)) for name in names}
    return type(interface.__name__, (interface,), calls)()


class _LogRouter:
    """An ILogger's method. TensorRT keeps the first logger that it is given for the whole process, so there is one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # as BuilderLog has
        self._listening: weakref.WeakSet[BuilderLog] = weakref.WeakSet()

    def connect(self, builder_log: BuilderLog) -> None:
        with self._lock:
            self._listening.add(builder_log)

    def log(self, severity: Any, msg: str) -> None:
        name = str(severity.name)
        with self._lock:
            listening = [item for item in self._listening if item.keeps_verbose or name in _LEVELS]
        if not listening and name not in _LEVELS:
            return  # most of what TensorRT says, while its builder waits
        here = threading.get_ident()
        # What one of several subjects is told is not the others' affair. A thread of TensorRT's own is anybody's.
        for builder_log in [builder_log for builder_log in listening if builder_log.thread == here] or listening:
            builder_log.hear(name, msg)
        if name in _LEVELS:
            _log.log(_LEVELS[name], "%s", msg)


_LOGGERS: dict[ModuleType, tuple[Any, _LogRouter]] = {}  # never given up: TensorRT does not let go of its logger
_LOGGERS_LOCK = threading.Lock()  # the subjects of one measurement load in a thread each


def listen(trt: ModuleType, builder_log: BuilderLog) -> Any:
    """The process's one logger of this TensorRT, which from now on writes to this log too, for as long as it is kept.

    Whoever parses or loads asks for it first, so TensorRT's own plugins (EfficientNMS_TRT and others) are registered
    with it, once: without that neither its parser nor its runtime finds them.
    """
    with _LOGGERS_LOCK:
        first = trt not in _LOGGERS
        if first:
            router = _LogRouter()
            _LOGGERS[trt] = implement(trt.ILogger, router, ("log",)), router
        logger, router = _LOGGERS[trt]
        router.connect(builder_log)
        register = getattr(trt, "init_libnvinfer_plugins", None)
        if first and register is not None and not register(logger, ""):
            builder_log.warn("TensorRT's own plugins are not there: a model or engine that needs one fails")
    return logger


Started = TypeVar("Started")


def begin(make: Callable[[], Started], builder_log: BuilderLog) -> Started:
    """A builder or a runtime. Where TensorRT makes none the bindings say only that; the reason stands in its log.

    Raises DeviceFault, MemoryError.
    """
    try:
        return make()
    except TypeError as error:  # pybind11's, for a factory that returned nothing
        reason = f"TensorRT does not start: {builder_log.reason()}"
        if builder_log.out_of_memory():
            raise MemoryError(reason) from error
        raise DeviceFault(reason, where="tensorrt", hint="`agent doctor` checks driver, CUDA and TensorRT") from error


def make_recorder(trt: ModuleType, builder_log: BuilderLog) -> Any:
    names = ("get_num_errors", "get_error_code", "get_error_desc", "has_overflowed", "clear", "report_error")
    return implement(trt.IErrorRecorder, builder_log, names)
