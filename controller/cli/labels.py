"""`--label NAME=VALUE`, of a job that is submitted and of results that are looked for."""

from collections.abc import Sequence


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """Raises BadInput for what is not NAME=VALUE, or names a label that cannot be."""
    from controller.model.labels import check_labels
    from jetfleet.errors import BadInput

    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"{text!r} is not a valid label", where="--label", expected="NAME=VALUE")
        found[name] = value
    check_labels(found, where="--label")
    return found
