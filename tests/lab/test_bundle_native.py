"""A bundle as a service of a machine that boots, by its own install.sh: with Python, without a container, the internet
or anything of jetfleet. Each test begins where the one before it ended.
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jetfleet.bundle_manifest import read_manifest
from jetfleet.bundle_signature import sign
from testing.processes import wait_for
from tests.bundle.altered import change, flip
from tests.lab.guest import Guest
from tests.lab.network import LabNetwork, run
from tests.lab.shipping import (
    QUESTION,
    UNDISTURBED,
    UNIT,
    Answer,
    Shipment,
    answer_of,
    asked,
    difference_of,
    note,
    wait_ready,
    write_record,
)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

AGENT = f"/opt/{UNIT}/venv/bin/agent"
SERVED = f"/opt/{UNIT}/bundle"
PATH = f"/etc/systemd/system/{UNIT}.service"
BEFORE: dict[str, str] = {}


@pytest.fixture(scope="module", autouse=True)
def written_record() -> Iterator[None]:
    """Written where all of it was seen, the containers too."""
    yield
    if os.environ.get("JETFLEET_RECORD") == "1" and BEFORE.get("end"):
        write_record()


@pytest.fixture(scope="module")
def machine(base: Path, network: LabNetwork, shipment: Shipment) -> Iterator[Guest]:
    with Guest(f"{network.prefix}-second", base, network=network.path("second")) as guest:
        for place in ("jetfleet", "wheels"):
            shutil.rmtree(guest.root / "opt" / place)
        run("chroot", str(guest.root), "dpkg", "--purge", "--force-depends", "python3-venv", "python3.11-venv")
        guest.boot()
        yield guest


def brought(machine: Guest, shipment: Shipment) -> Path:
    """The bundle, carried there anew."""
    place = machine.root / "srv/bundle"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(shipment.bundle, place)
    shutil.copy(shipment.key, machine.root / "srv")
    return place


def signed(bundle: Path, shipment: Shipment, **manifest: object) -> None:
    change(bundle, **manifest)
    sign(bundle, shipment.folder / "ship.key")


def entered(machine: Guest, *words: str) -> Answer:
    return answer_of(*machine.entry(), *words)


def install(machine: Guest, *, key: str = "ship.key.pub", **env: str) -> Answer:
    given = [f"{name}={value}" for name, value in {"KEY": key, **env}.items()]
    return entered(machine, "sh", "-c", f"umask 077; cd /srv; env {' '.join(given)} bundle/deploy/install.sh")


def at(network: LabNetwork) -> tuple[str, ...]:
    """Where the machine's loopback is: it has no curl of its own."""
    return ("ip", "netns", "exec", network.namespace("second"))


def is_running(machine: Guest) -> bool:
    return machine.show(UNIT, "SubState")["SubState"] == "running"


def test_the_script_installs_and_starts_it(machine: Guest, network: LabNetwork, shipment: Shipment) -> None:
    BEFORE.update(machine.files())
    brought(machine, shipment)
    start = time.monotonic()
    done = install(machine)
    assert done.code == 0, f"{done.err}{done.out}"
    note(
        "`install.sh` as root in a booted machine: packages, verified by the key, ready",
        f"{time.monotonic() - start:.0f} s",
    )
    assert "signed by that key" in done.out
    assert machine.show(UNIT, "StatusText")["StatusText"].endswith("at http://127.0.0.1:8080")
    difference = difference_of(asked(at(network), "/infer", QUESTION))
    assert difference < 1e-4
    note("an inference over HTTP there", f"largest difference {difference:.1g}")


def test_systemd_accepts_the_unit_and_finds_it_closed(machine: Guest) -> None:
    assert machine.run("sh", "-c", f"systemd-analyze verify {PATH} 2>&1") == ""
    said = machine.run("systemd-analyze", "security", "--offline=yes", "--no-pager", PATH, check=False)
    exposure = float(re.findall(r"exposure level for \S+: ([\d.]+)", said)[0])
    assert exposure <= 2.0
    note("exposure of its unit (bar: 2.0)", exposure)
    uid = machine.run("sh", "-c", f"grep ^Uid: /proc/{machine.main_pid(UNIT)}/status").split()[1]
    assert int(uid) >= 60000  # one of those that systemd gives for the time of a service


def test_killed_and_without_power_it_comes_back(machine: Guest, network: LabNetwork) -> None:
    start, pid = time.monotonic(), machine.main_pid(UNIT)
    machine.signal(UNIT, signal.SIGKILL)
    wait_for(lambda: is_running(machine) and machine.main_pid(UNIT) not in (0, pid), what="the restart")
    note("kill -9 to ready again (RestartSec is 5 s)", f"{time.monotonic() - start:.1f} s")
    machine.power_cut()
    machine.boot()
    wait_for(lambda: is_running(machine), what="the service after the boot")
    wait_ready(at(network))
    note("a boot after a power cut", "ready")


def test_another_bundle_takes_its_place_only_when_it_is_right(machine: Guest, shipment: Shipment) -> None:
    bundle, pid = brought(machine, shipment), machine.main_pid(UNIT)
    flip(bundle / "files" / read_manifest(bundle).engine)
    done = install(machine)
    assert (done.code, "is damaged" in done.err) == (4, True), done
    change(brought(machine, shipment), budget={"p50_ms": 1e9})
    done = install(machine)
    assert (done.code, "not of this manifest and this key" in done.err) == (4, True), done
    assert machine.main_pid(UNIT) == pid
    assert entered(machine, AGENT, "bundle", "verify", SERVED, "--key", "/srv/ship.key.pub").code == 0
    note(
        "`install.sh` with a flipped bit, and with a changed manifest",
        "exit code 4; the earlier bundle stays and is served",
    )
    signed(brought(machine, shipment), shipment, device={"cpu_model": "another one"})
    done = install(machine, ON_MISMATCH="refuse")
    assert (done.code, "the engine is not for this machine" in done.err) == (1, True), done
    note("an engine of another machine, signed, with ON_MISMATCH=refuse", "not started, exit code 1, with the reason")
    done = install(machine, LISTEN="127.0.0.1:8081")
    assert done.code == 0, done
    assert machine.main_pid(UNIT) != pid
    assert "building the engine" in machine.journal(UNIT)
    assert machine.show(UNIT, "StatusText")["StatusText"].endswith("at http://127.0.0.1:8081")
    kept = entered(machine, "sh", "-c", f"ls /var/lib/private/{UNIT}/bundles/*/rebuilt.json")
    assert kept.code == 0, kept.err
    note("the same with LISTEN alone", "replaced, built again in its state folder, served there")


def test_its_acceptance_passes_and_fails_natively(machine: Guest, shipment: Shipment) -> None:
    brought(machine, shipment)
    accept = (*UNDISTURBED, AGENT, "bundle", "accept", "/srv/bundle", "--state", "/tmp/state")
    tried = []
    while len(tried) < 10 and (not tried or tried[-1].code):
        tried.append(entered(machine, *accept))
    assert (tried[-1].code, "kept" in tried[-1].out) == (0, True), tried
    note("`accept` within the budget, natively", f"{tried[-1].out.strip()}; exit code 0, try {len(tried)}")
    change(machine.root / "srv/bundle", budget={"p50_ms": 1e-6})
    done = entered(machine, *accept)
    assert (done.code, "MISSED" in done.out) == (3, True), done
    note("`accept` beyond it, natively", f"{done.out.strip()}; exit code 3")


def test_the_script_takes_all_of_it_away(machine: Guest, shipment: Shipment) -> None:
    brought(machine, shipment)
    done = entered(machine, "/srv/bundle/deploy/install.sh", "--uninstall")
    assert done.code == 0, done.err
    left = {path for path in machine.files() if path not in BEFORE and UNIT in path and "/srv/" not in path}
    assert left == set()
    note("left by `install.sh --uninstall`", "nothing (find before and after)")
    BEFORE["end"] = "yes"
