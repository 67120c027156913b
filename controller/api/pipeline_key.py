"""An idempotency key from the pipeline that a submit runs in: a step that runs again finds its job, and a pipeline
that is started again gets a new one. Pure: the environment is an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from controller.model.job import JobSpec
from controller.wire.job import JOB_SPEC

OWN_VARIABLE = "JETFLEET_IDEMPOTENCY_KEY"

# Which variables name one attempt at one job of a pipeline. The first system whose variables are all set wins; ours is
# first, for systems that are not listed and for steps that want a key of their own.
_SYSTEMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("jetfleet", (OWN_VARIABLE,)),
    ("github", ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB")),
    ("gitlab", ("CI_PIPELINE_ID", "CI_JOB_ID")),
    ("buildkite", ("BUILDKITE_JOB_ID",)),
    ("circleci", ("CIRCLE_WORKFLOW_ID", "CIRCLE_JOB")),
    ("azure", ("BUILD_BUILDID", "SYSTEM_JOBID", "SYSTEM_JOBATTEMPT")),
    ("jenkins", ("BUILD_TAG",)),
)

VARIABLES = frozenset(name for _, names in _SYSTEMS for name in names)


@dataclass(frozen=True)
class PipelineKey:
    """`variables` are those that it was made from, for people."""

    key: str
    variables: tuple[str, ...]


def pipeline_key(spec: JobSpec, environment: Mapping[str, str]) -> PipelineKey | None:
    """The key of this job in this run of a pipeline; None outside of one."""
    for system, names in _SYSTEMS:
        values = [environment.get(name, "") for name in names]
        if all(values):
            return PipelineKey(f"{system}:{':'.join(values)}:{spec_digest(spec)[:32]}", names)
    return None


def spec_digest(spec: JobSpec) -> str:
    """SHA-256 of everything that the job asks for, its files by their digests."""
    return sha256(JOB_SPEC.encode(spec).SerializeToString(deterministic=True)).hexdigest()
