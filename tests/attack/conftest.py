"""The fleet under attack, one for the whole room, and the table of what came of every attack."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testing.processes import ControllerProcess
from tests.attack.fleet import Fleet
from tests.attack.outcome import Attack

ROWS = pytest.StashKey[list[tuple[str, str, str]]]()


# Gone with this room: other rooms look at the children of the tests.
@pytest.fixture(scope="package")
def fleet() -> Iterator[Fleet]:
    """In a folder that every user reaches, as a state folder may be: what is closed is closed by its own modes."""
    folder = Path(tempfile.mkdtemp(prefix="attack-"))
    folder.chmod(0o755)
    controller = ControllerProcess(folder / "state", tls=True, lease_s=300.0)
    try:
        found = Fleet(folder, controller.ready())
        yield found
        found.close()
    finally:
        controller.kill()
        shutil.rmtree(folder)


@pytest.fixture
def attacked(fleet: Fleet, request: pytest.FixtureRequest) -> Callable[[str, Attack], None]:
    """Has an attack made, sees that nobody else noticed, and notes how it was refused."""
    rows = request.config.stash.setdefault(ROWS, [])

    def run(actor: str, attack: Attack) -> None:
        title = attack.__name__.replace("_", " ")
        rows.append((actor, title, "SUCCEEDED"))
        how = attack(fleet)
        fleet.check()
        rows[-1] = (actor, title, how)

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("attacks")
    if config.get_verbosity() > 0:
        for row in rows:
            terminalreporter.write_line(" | ".join(row))
    won = Counter(actor for actor, _, how in rows if how == "SUCCEEDED")
    for actor, count in Counter(actor for actor, _, _ in rows).items():
        terminalreporter.write_line(f"{actor}: {count} tried, {count - won[actor]} refused, {won[actor]} succeeded")
