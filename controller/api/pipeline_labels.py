"""What a CI system knows of the code that a job tests: the labels `commit` and `branch`. The environment is given."""

from collections.abc import Mapping

# The first variable that is set is taken; those that name the source of a merge come before those of its result.
_VARIABLES = {
    "commit": (
        *("GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1", "BUILD_SOURCEVERSION", "GIT_COMMIT"),
    ),
    "branch": (
        *("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
        *("BUILDKITE_BRANCH", "CIRCLE_BRANCH", "BUILD_SOURCEBRANCHNAME", "GIT_BRANCH"),
    ),
}
VARIABLES = frozenset(name for names in _VARIABLES.values() for name in names)


def pipeline_labels(environment: Mapping[str, str]) -> dict[str, str]:
    """The labels that can be filled in; none outside of a pipeline."""
    found = {
        label: next((environment[name] for name in names if environment.get(name)), "")
        for label, names in _VARIABLES.items()
    }
    return {label: value for label, value in found.items() if value}
