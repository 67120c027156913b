"""Errors of the operating system, as what they mean for a user: none of them is a bug, and few are a model's fault."""

import errno
import os

from jetfleet.errors import DiskFull, Infrastructure, JetfleetError

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FAILING = frozenset({errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.EMFILE, errno.ENFILE})


def explained(error: OSError) -> JetfleetError | None:
    """What the error means for a user; None for one that does not come from the operating system."""
    if error.errno is None:
        return None
    what = (error.strerror or os.strerror(error.errno)).lower()
    where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    if error.errno in _NO_SPACE:
        return DiskFull(what, where=where, hint="free some space, there and in the folder for temporary files")
    return Infrastructure(what, where=where, hint="check the disk and its permissions")


def of_the_disk(error: BaseException | None) -> OSError | None:
    """The error of a full or failing disk that this one is or comes from, however it was wrapped on its way."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _NO_SPACE | _FAILING:
            return error
        error = error.__cause__ or error.__context__
    return None
