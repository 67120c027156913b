"""Which variants are held against each other: those of two jobs, or two of one job. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from controller.core.pairing import check_measure
from controller.intake.prepare import PreparedJob
from controller.model.interleaved import Pair
from controller.model.job import JobSpec, Limits, Variant
from jetfleet.errors import BadInput

BASE, CANDIDATE = "base", "candidate"


def pair_jobs(base: PreparedJob, candidate: PreparedJob) -> PreparedJob:
    """One job of both, whose variants have `@base` and `@candidate` in their keys.

    The one variant of each, or else those of one key. Raises BadInput for jobs that are not measured in one way on the
    same devices, and for variants that only one of them has.
    """
    first, second = base.spec, candidate.spec
    check_measure(first.measure)
    for name in ("targets", "measure"):
        if getattr(first, name) != getattr(second, name):
            raise BadInput(
                f"{first.name} and {second.name} differ in `{name}`",
                where="--ab",
                expected=f"the same `{name}` in both job files: both run in the same processes of one device",
            )
    matched = _matched(first.variants, second.variants)
    spec = replace(
        first,
        name=_both(first.name, second.name),
        model_name=_both(first.model_name, second.model_name),
        variants=(*_renamed(first.variants, BASE), *_renamed(second.variants, CANDIDATE)),
        pairs=tuple(Pair(_key(one.key, BASE), _key(other.key, CANDIDATE)) for one, other in matched),
        limits=_longest(first.limits, second.limits),
        priority=max(first.priority, second.priority),
        source=f"# {BASE}\n{first.source}\n# {CANDIDATE}\n{second.source}",
        labels={**first.labels, **second.labels},
    )
    return PreparedJob(spec, {**base.files, **candidate.files})


def pair_variants(job: PreparedJob, base: str, candidate: str) -> PreparedJob:
    """The job, of the variants that two keys name, or patterns of keys: each base with each other candidate."""
    spec = job.spec
    check_measure(spec.measure)
    pairs: dict[frozenset[str], Pair] = {}
    for one in _named(spec, base):
        for other in _named(spec, candidate):
            if one != other:
                pairs.setdefault(frozenset((one, other)), Pair(one, other))
    if not pairs:
        raise BadInput(f"{base} and {candidate} are the same variant", where="--ab", expected="two of them")
    wanted = frozenset[str]().union(*pairs)
    variants = tuple(variant for variant in spec.variants if variant.key in wanted)
    files = {item.sha256: job.files[item.sha256] for variant in variants for item in variant.artifacts}
    return PreparedJob(replace(spec, variants=variants, pairs=tuple(pairs.values())), files)


def _matched(first: Sequence[Variant], second: Sequence[Variant]) -> list[tuple[Variant, Variant]]:
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    others = {variant.key: variant for variant in second}
    unmatched = sorted({variant.key for variant in first} ^ others.keys())
    if unmatched:
        raise BadInput(
            f"only one of the two jobs has the variant {unmatched[0]}",
            where="--ab",
            expected="one variant in each job file, or the same variants in both",
        )
    return [(variant, others[variant.key]) for variant in first]


def _named(spec: JobSpec, pattern: str) -> list[str]:
    keys = [variant.key for variant in spec.variants]
    found = [key for key in keys if fnmatchcase(key, pattern)]
    if not found:
        raise BadInput(f"no variant of {spec.name} is called {pattern!r}", where="--ab", expected=", ".join(keys))
    return found


def _renamed(variants: Sequence[Variant], side: str) -> list[Variant]:
    return [replace(variant, key=_key(variant.key, side)) for variant in variants]


def _key(key: str, side: str) -> str:
    return f"{key}@{side}"


def _both(base: str, candidate: str) -> str:
    return base if base == candidate else f"{candidate} vs {base}"


def _longest(first: Limits, second: Limits) -> Limits:
    """No deadline at all is the longest one."""
    deadlines = (first.deadline_s, second.deadline_s)
    return Limits(
        build_s=max(first.build_s, second.build_s),
        bench_s=max(first.bench_s, second.bench_s),
        deadline_s=None if None in deadlines else max(item or 0 for item in deadlines),
    )
