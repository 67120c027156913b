"""Idempotency keys from pipelines: the same step finds its job, another attempt or another job does not."""

import pytest

from controller.api.pipeline_key import OWN_VARIABLE, pipeline_key, spec_digest
from testing.specs import spec

GITHUB = {"GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "bench", "CI": "true"}
JOB = spec(1)
DIGEST = spec_digest(JOB)[:32]


@pytest.mark.parametrize(
    ("environment", "begin"),
    [
        (GITHUB, "github:17:1:bench"),
        ({"CI_PIPELINE_ID": "4", "CI_JOB_ID": "99"}, "gitlab:4:99"),
        ({"BUILD_TAG": "jenkins-x-5"}, "jenkins:jenkins-x-5"),
        ({"BUILDKITE_JOB_ID": "0190"}, "buildkite:0190"),
        ({"CIRCLE_WORKFLOW_ID": "w", "CIRCLE_JOB": "bench"}, "circleci:w:bench"),
        ({"BUILD_BUILDID": "3", "SYSTEM_JOBID": "j", "SYSTEM_JOBATTEMPT": "2"}, "azure:3:j:2"),
        ({OWN_VARIABLE: "mine"}, "jetfleet:mine"),
        ({**GITHUB, OWN_VARIABLE: "mine"}, "jetfleet:mine"),
    ],
)
def test_each_system_has_its_variables(environment: dict[str, str], begin: str) -> None:
    found = pipeline_key(JOB, environment)
    assert found is not None
    assert found.key == f"{begin}:{DIGEST}"
    assert set(found.variables) <= set(environment)


@pytest.mark.parametrize(
    "environment",
    [{}, {"CI": "true"}, {"GITHUB_RUN_ID": "17", "GITHUB_JOB": "bench"}, {"BUILD_TAG": ""}, {OWN_VARIABLE: ""}],
)
def test_outside_of_a_pipeline_there_is_no_key(environment: dict[str, str]) -> None:
    assert pipeline_key(JOB, environment) is None


def test_the_same_step_has_the_same_key_and_everything_else_another() -> None:
    assert pipeline_key(JOB, GITHUB) == pipeline_key(spec(1), dict(GITHUB))
    others = [
        pipeline_key(JOB, {**GITHUB, "GITHUB_RUN_ATTEMPT": "2"}),
        pipeline_key(JOB, {**GITHUB, "GITHUB_JOB": "other"}),
        pipeline_key(spec(8), GITHUB),
        pipeline_key(spec(1, model="33" * 32), GITHUB),
        pipeline_key(spec(1, priority=1), GITHUB),
    ]
    keys = {item.key for item in [pipeline_key(JOB, GITHUB), *others] if item}
    assert len(keys) == 6
