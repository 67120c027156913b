"""Labels of a job: free names and values by which its results are found again. What they may be, and nothing else."""

import re
from collections.abc import Mapping

from jetfleet.errors import BadInput

NAME = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$"
LONGEST_VALUE = 256
MOST = 32


def check_labels(labels: Mapping[str, str], *, where: str = "labels") -> None:
    """Raises BadInput."""
    if len(labels) > MOST:
        raise BadInput(f"{len(labels)} labels", where=where, expected=f"at most {MOST}")
    for name, value in labels.items():
        if not re.fullmatch(NAME, name):
            expected = "letters, digits and . _ / -, at most 63, a letter or digit first"
            raise BadInput(f"{name!r} is not a valid name of a label", where=where, expected=expected)
        if len(value) > LONGEST_VALUE:
            raise BadInput(
                f"the value of label {name!r} has {len(value)} characters",
                where=where,
                expected=f"at most {LONGEST_VALUE}",
            )
