"""TensorRT's timing cache: what earlier builds of the device class timed, given to this one, and what it adds to it."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.runtime.tensorrt.log import BuilderLog
from jetfleet.v1.task_pb2 import Artifact, TimingCacheUse

if TYPE_CHECKING:
    import tensorrt as trt

_log = logging.getLogger(__name__)


class TimingCache:
    """The cache of one build. TensorRT needs the object until the build is over: keep this until then."""

    def __init__(self, config: "trt.IBuilderConfig", builder_log: BuilderLog) -> None:
        self._config, self._builder_log = config, builder_log
        self._cache: trt.ITimingCache | None = None
        self._handed: list[str] = []
        self._keys: int | None = None
        self._bytes_in = 0

    def load(self, artifacts: Iterable[Artifact], locate: Callable[[Artifact], Path]) -> None:
        """Combines what was handed over; what does not load is left out with a warning, and costs time, no more."""
        self._cache = self._config.create_timing_cache(b"")
        if self._cache is None:  # TensorRT for RTX has none
            return
        for artifact in artifacts:
            self._add(artifact, locate(artifact).read_bytes())
        if not self._config.set_timing_cache(self._cache, False):
            self._builder_log.warn("TensorRT does not take the timing cache: every layer is timed")
            self._handed = []
            self._cache = self._config.create_timing_cache(b"")
            if self._cache is None or not self._config.set_timing_cache(self._cache, False):
                self._cache = None
                return
        self._keys = _count_keys(self._cache)

    def save(self, path: Path) -> bool:
        """Writes what the build leaves for the next one; False where there is nothing to leave."""
        cache = self._config.get_timing_cache() if self._cache is not None else None
        content = cache.serialize() if cache is not None else None
        if cache is None or content is None or not content.nbytes:
            return False
        path.write_bytes(memoryview(content))
        _log.info(
            "timing cache: %d bytes in from %d files, %d bytes out", self._bytes_in, len(self._handed), content.nbytes
        )
        return True

    def use(self) -> TimingCacheUse | None:
        """None where TensorRT keeps no cache. Only what was timed anew can be counted, and not by every version."""
        if self._cache is None:
            return None
        use = TimingCacheUse(handed=self._handed)
        now = _count_keys(self._config.get_timing_cache())
        if self._keys is not None and now:  # 0: it keeps them to itself
            use.misses = max(0, now - self._keys)
        return use

    def _add(self, artifact: Artifact, content: bytes) -> None:
        cache = self._config.create_timing_cache(content) if content else None
        if cache is None or self._cache is None or not self._cache.combine(cache, False):
            self._builder_log.warn(f"timing cache {artifact.sha256[:12]} does not load here, and is left out")
            return
        self._handed.append(artifact.sha256)
        self._bytes_in += len(content)


def _count_keys(cache: Any) -> int | None:
    """Entries of a cache; None where the bindings do not tell (before 10.13)."""
    query = getattr(cache, "queryKeys", None)
    try:
        return len(query()) if query is not None else None
    except RuntimeError as error:
        _log.debug("the timing cache does not tell its keys: %s", error)
        return None
