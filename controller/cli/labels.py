"""`--label NAME=VALUE`, of a job that is submitted and of results that are looked for."""

from collections.abc import Sequence


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """Raises BadInput for what is not NAME=VALUE, or names a label that cannot be."""
    from controller.model.labels import check_labels
    from jetfleet.usage import named_value

    found: dict[str, str] = {}
    for text in texts:
        name, value = named_value(text, what="label", where="--label")
        found[name] = value
    check_labels(found, where="--label")
    return found
