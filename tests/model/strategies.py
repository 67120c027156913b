"""Values of the model's types, derived from their type hints; what hints cannot say is in one table."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timezone
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from controller.model.engine import Built, TimingCacheUse
from controller.model.facts import FACT_TYPES, Facts, FactType
from controller.model.job import Artifact, Condition, JobSpec, Limits, Measure, OutputCheck, Target, Variant
from controller.model.labels import NAME as LABEL_NAME
from controller.model.lease import Outcome, Registration
from controller.model.view import ResultQuery, TaskView

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=5)
COUNTS = st.integers(0, 2**31 - 1)
ABOVE_ZERO = st.integers(1, 2**31 - 1)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
# A Duration holds whole nanoseconds.
SECONDS = st.integers(0, 2**50).map(lambda nanos: nanos / 1e9)
LABELS = st.dictionaries(st.from_regex(LABEL_NAME, fullmatch=True), TEXT, max_size=2)
MOMENTS = st.datetimes(timezones=st.just(timezone.utc))


def facts() -> st.SearchStrategy[Facts]:
    """An empty set is how a message says that it is not known."""
    words = st.lists(TEXT, min_size=1, max_size=2).map(tuple)
    kinds: dict[FactType, st.SearchStrategy[Any]] = {
        FactType.NUMBER: COUNTS,
        FactType.FLAG: st.booleans(),
        FactType.SET: words,
    }
    known = {key: kinds.get(kind, TEXT) for key, kind in FACT_TYPES.items()}
    families = st.dictionaries(
        st.builds("{}.{}".format, st.sampled_from(("runtime", "label")), NAMES), TEXT, max_size=2
    )
    return st.builds(lambda some, more: {**some, **more}, st.fixed_dictionaries({}, optional=known), families)


# What the hints do not say: what the codecs refuse, and what a message cannot tell apart from nothing.
FIELDS: Mapping[tuple[type, str], st.SearchStrategy[Any]] = {
    (Artifact, "sha256"): DIGESTS,
    (Condition, "values"): st.lists(TEXT, min_size=1, max_size=2).map(tuple),
    (OutputCheck, "outputs"): st.deferred(lambda: st.dictionaries(TEXT, values_of(OutputCheck), max_size=1)),
    (JobSpec, "labels"): LABELS,
    (JobSpec, "variants"): st.deferred(lambda: _some(Variant, unique_by=lambda item: item.key)),
    (JobSpec, "targets"): st.deferred(lambda: _some(Target)),
    (JobSpec, "pairs"): st.just(()),  # of its own variants, which a strategy for one field does not know
    (Limits, "build_s"): ABOVE_ZERO,
    (Limits, "bench_s"): ABOVE_ZERO,
    (Limits, "deadline_s"): st.none() | ABOVE_ZERO,
    (Measure, "deadline_s"): st.none() | SECONDS,
    (Outcome, "peak_rss_bytes"): st.none() | ABOVE_ZERO,
    (ResultQuery, "limit"): ABOVE_ZERO,
    (ResultQuery, "before_id"): st.none() | ABOVE_ZERO,
    (TaskView, "because_of_task"): st.none() | ABOVE_ZERO,
    **{(Registration, name): NAMES for name in ("device_id", "session_id", "boot_id", "bench_domain")},
}


@cache
def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, as a field's hint names it."""
    if hint == Facts:
        return facts()
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(values_of(member) for member in get_args(hint))
    if get_origin(hint) is Mapping:
        return st.dictionaries(*map(values_of, get_args(hint)), max_size=2)
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint))
    return _SCALARS[hint]


def _tuple(members: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if members[-1] is Ellipsis:
        return st.lists(values_of(members[0]), max_size=2).map(tuple)
    return st.tuples(*map(values_of, members))


def _some(kind: type, **how: Any) -> st.SearchStrategy[Any]:
    return st.lists(values_of(kind), min_size=1, max_size=2, **how).map(tuple)


def _dataclass(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    made = st.builds(
        kind, **{item.name: _field(kind, item.name, hints[item.name]) for item in dataclasses.fields(kind)}
    )
    return made.map(_REPAIRED[kind]) if kind in _REPAIRED else made


def _field(kind: type, name: str, hint: Any) -> st.SearchStrategy[Any]:
    if (kind, name) in FIELDS:
        return FIELDS[kind, name]
    return SECONDS if name.endswith("_s") and hint is float else values_of(hint)


def _with_use(built: Built) -> Built:
    """A timing cache is told of as a part of how timings were used."""
    if built.timing_cache is None or built.report.timing_cache is not None:
        return built
    return dataclasses.replace(built, report=dataclasses.replace(built.report, timing_cache=TimingCacheUse()))


_REPAIRED: Mapping[type, Any] = {Built: _with_use}
_SCALARS: Mapping[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: COUNTS,
    float: st.floats(allow_nan=False),
    bytes: st.binary(max_size=5),
    datetime: MOMENTS,
    NoneType: st.none(),
}
