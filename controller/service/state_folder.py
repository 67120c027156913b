"""The folder of a controller's state: private, with the database that its files belong to, and still there."""

import logging
import stat
from pathlib import Path

from controller.store.sqlite.database import FILE_NAME
from jetfleet.address import check_state_dir
from jetfleet.errors import Infrastructure

log = logging.getLogger(__name__)


def prepare(folder: Path, *, accept_empty_database: bool) -> None:
    """Makes the folder, closes it to others, and looks for its database. Raises Infrastructure, BadInput."""
    check_state_dir(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(folder)
    except OSError as error:
        raise Infrastructure(f"cannot make the state folder: {error.strerror}", where=str(folder)) from None
    if not accept_empty_database:
        _refuse_lost_database(folder)


def _close_to_others(folder: Path) -> None:
    found = folder.stat()
    if not found.st_mode & 0o077:
        return
    if found.st_mode & stat.S_ISVTX:
        raise Infrastructure(
            f"{folder} is a folder of everybody's, and the state of a controller is private",
            hint="give it a folder of its own: --state FOLDER",
        )
    folder.chmod(0o700)  # raises where the folder is somebody else's
    log.warning("%s was open to other users (mode %o) and is closed now", folder, stat.S_IMODE(found.st_mode))


def _refuse_lost_database(folder: Path) -> None:
    """Files of earlier jobs without the database that knows them: deleted, truncated, or half of a copy."""
    database = folder / FILE_NAME
    if database.exists() and database.stat().st_size > 0:
        return
    files = sum(1 for _ in (folder / "blobs" / "objects").glob("*/*"))
    if files:
        raise Infrastructure(
            f"{database} is {'empty' if database.exists() else 'gone'}, and {files} files of its jobs are still there",
            hint="restore it from a backup, or begin anew beside them: `controller serve --accept-empty-database`",
        )
