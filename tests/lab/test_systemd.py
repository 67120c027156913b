"""A board's life as a service, in a machine that really boots: in this order, each test begins where the last ended."""

import re
import shlex
import signal
import time

import pytest

from controller.api.client import Client
from testing.processes import wait_for
from tests.house.source import ROOT
from tests.lab.conftest import LabController, Record
from tests.lab.guest import AGENT, PYTHON, Guest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

UNIT = "jetfleet-agent.service"
MODEL = ROOT / "examples/onnx/model.onnx"
BEFORE: dict[str, str] = {}


@pytest.fixture
def owner(controller: LabController):
    with controller.client() as client:
        yield client


def online(client: Client, name: str = "orin-1") -> bool:
    return any(device.name == name and device.online for device in client.devices())


def device_id(guest: Guest) -> str:
    return guest.run("cat", "/var/lib/jetfleet/device_id").strip()


def state(guest: Guest) -> tuple[str, str]:
    found = guest.show(UNIT, "ActiveState", "SubState")
    return found["ActiveState"], found["SubState"]


def restarts(guest: Guest) -> int:
    return int(guest.show(UNIT, "NRestarts")["NRestarts"])


def test_install_makes_a_service_that_waits_for_its_enrolment(board: Guest, record: Record):
    BEFORE.update(board.files())
    said = board.run(AGENT, "install", "--native", check=False)
    assert "not enrolled yet" in said
    assert "agent doctor, as user jetfleet" in said
    assert state(board) == ("inactive", "dead")
    assert board.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    assert board.run("stat", "-c", "%U %a", "/var/lib/jetfleet").split() == ["jetfleet", "700"]
    assert board.run("stat", "-c", "%U %a", "/etc/jetfleet/agent.env").split() == ["root", "600"]
    assert "nothing had to be changed" in board.run(AGENT, "install", "--native", check=False)


def test_systemd_accepts_the_units_and_finds_them_closed(board: Guest, record: Record):
    for unit in (UNIT, "jetfleet-helper.service"):
        path = f"/etc/systemd/system/{unit}"
        assert board.run("sh", "-c", f"systemd-analyze verify {path} 2>&1") == ""
        said = board.run("systemd-analyze", "security", "--offline=yes", "--no-pager", path, check=False)
        exposure = float(re.findall(r"exposure level for \S+: ([\d.]+)", said)[0])
        assert exposure <= 2.0
        record.note(f"exposure of {unit} (bar: 2.0)", exposure)


def test_the_printed_line_enrols_the_service_and_starts_it(
    board: Guest, controller: LabController, owner: Client, record: Record
):
    token, *words = shlex.split(controller.line("--name", "orin-1", "--label", "rack=a"))
    name, _, secret = token.partition("=")
    began = time.monotonic()
    said = board.run(*words, env={name: secret})
    wait_for(lambda: online(owner), what="orin-1 to be online")
    record.note("the printed line to the first heartbeat (bar: 5 s)", f"{time.monotonic() - began:.1f} s")
    assert "enrolled at" in said
    assert board.run("stat", "-c", "%U %a", "/var/lib/jetfleet/credentials/key.pem").split() == ["jetfleet", "600"]
    wait_for(lambda: state(board) == ("active", "running"), what="the unit to be active")
    assert (
        "registered at" in board.show(UNIT, "StatusText")["StatusText"]
        or "waits" in board.show(UNIT, "StatusText")["StatusText"]
    )
    assert secret not in board.run(
        "sh", "-c", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
    )
    assert "already enrolled" in board.run(*words, env={name: secret})


def test_the_helper_answers_the_agents_user_and_nobody_else(board: Guest):
    code = "from agent.helper.client import ask; print(ask('version'), ask('reboot')['ok'])"
    ask = ["setpriv", "--reuid=jetfleet", "--regid=jetfleet", "--clear-groups", PYTHON, "-c", code]
    assert board.run(*ask).startswith("{'ok': True, 'version'")
    assert "False" in board.run(*ask)
    stranger = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", PYTHON, "-c", code]
    assert "version" not in board.run(*stranger, check=False)
    # In the group, and not the user: the socket opens, the kernel's word on who asks decides.
    member = ["setpriv", "--reuid=nobody", "--regid=jetfleet", "--clear-groups", PYTHON, "-c", code]
    assert "may not ask" in board.run(*member)


def test_a_job_runs_under_the_hardened_unit(board: Guest, owner: Client, record: Record):
    pid = board.main_pid(UNIT)
    assert "NoNewPrivs:\t1" in board.run("cat", f"/proc/{pid}/status")
    assert "CapEff:\t0000000000000000" in board.run("cat", f"/proc/{pid}/status")
    began = time.monotonic()
    job = owner.submit(MODEL, name="first")
    assert job.wait().state.value == "SUCCEEDED"
    record.note("a job of one network on ONNX Runtime, submitted to done", f"{time.monotonic() - began:.0f} s")
    assert len(job.results()) == 1


def test_an_agent_that_is_killed_comes_back(board: Guest, owner: Client, record: Record):
    before, count, began = board.main_pid(UNIT), restarts(board), time.monotonic()
    board.signal(UNIT, signal.SIGKILL)
    wait_for(lambda: state(board) == ("active", "running") and board.main_pid(UNIT) != before, what="the restart")
    record.note("kill -9 to active again (RestartSec is 5 s)", f"{time.monotonic() - began:.1f} s")
    assert restarts(board) == count + 1
    wait_for(lambda: online(owner), what="orin-1 to be online")


def test_an_agent_that_hangs_is_killed_by_the_watchdog(board: Guest, owner: Client, record: Record):
    count, began = restarts(board), time.monotonic()
    board.signal(UNIT, signal.SIGSTOP)
    wait_for(lambda: restarts(board) > count, what="the watchdog", timeout_s=120)
    record.note("SIGSTOP to the watchdog's restart (WatchdogSec is 30 s)", f"{time.monotonic() - began:.0f} s")
    assert "atchdog" in board.journal(UNIT)
    wait_for(lambda: state(board) == ("active", "running"), what="the restart")
    wait_for(lambda: online(owner), what="orin-1 to be online")


def test_a_power_cut_in_mid_job_costs_nothing_but_time(
    board: Guest, controller: LabController, owner: Client, record: Record
):
    known = device_id(board)
    job = owner.submit(MODEL, name="cut", measure={"seconds": 15, "max_seconds": 60})
    wait_for(
        lambda: "works on attempt" in board.show(UNIT, "StatusText")["StatusText"],
        what="the agent to work",
        timeout_s=120,
    )
    wait_for(lambda: running(controller, job.id), what="a BENCH to run", timeout_s=120)
    board.power_cut()
    boot_s = board.boot()
    began = time.monotonic()
    wait_for(lambda: restarts(board) == 0 and state(board) == ("active", "running"), what="the unit", timeout_s=120)
    record.note(
        "a boot after the power cut", f"{boot_s:.1f} s, the agent registered {time.monotonic() - began:.1f} s later"
    )
    assert job.wait().state.value == "SUCCEEDED"
    assert device_id(board) == known
    assert len(job.results()) == 1
    committed = controller.rows(
        f"select task_id, count(*) from v_attempts where job_id = {job.id} and state = 'COMMITTED' group by task_id"
    )
    assert committed
    assert {count for _, count in committed} == {1}
    record.note(
        "results of the job that the power cut met", f"{len(job.results())}, committed attempts of each task: 1"
    )


def running(controller: LabController, job_id: int) -> bool:
    return bool(
        controller.rows(f"select 1 from v_attempts where job_id = {job_id} and kind = 'BENCH' and state = 'RUNNING'")
    )


def test_a_boot_while_the_controller_is_away_is_survived(
    board: Guest, controller: LabController, owner: Client, record: Record
):
    controller.stop()
    board.power_cut()
    board.boot()
    wait_for(lambda: state(board) == ("active", "running"), what="the unit to be active")
    wait_for(lambda: "no answer yet" in board.show(UNIT, "StatusText")["StatusText"], what="the status")
    assert restarts(board) == 0
    controller.start()
    wait_for(lambda: online_again(controller), what="orin-1 to be online", timeout_s=60)
    record.note("a boot while the controller is away", "active, tries again, online when it is back; restarts: 0")


def online_again(controller: LabController) -> bool:
    if not (controller.state_dir / "controller.agents").exists():
        return False
    with controller.client() as client:
        return online(client)


def test_a_full_disk_pauses_and_does_not_kill(board: Guest, controller: LabController, record: Record):
    known = device_id(board)
    board.run("systemctl", "stop", UNIT)
    board.run("cp", "-a", "/var/lib/jetfleet", "/var/lib/jetfleet.kept")
    board.run("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700,uid=jetfleet,gid=jetfleet", "tmpfs", "/var/lib/jetfleet")
    board.run(
        "sh", "-c", "cp -a /var/lib/jetfleet.kept/credentials /var/lib/jetfleet.kept/device_id /var/lib/jetfleet/"
    )
    board.run("sh", "-c", "head -c 8m /dev/zero > /var/lib/jetfleet/ballast", check=False)
    board.run("systemctl", "start", UNIT)
    wait_for(lambda: "paused" in board.show(UNIT, "StatusText")["StatusText"], what="the pause", timeout_s=60)
    assert state(board) == ("active", "running")
    board.run("rm", "/var/lib/jetfleet/ballast")
    board.run("systemctl", "stop", UNIT)
    board.run("umount", "/var/lib/jetfleet")
    board.run("rm", "-r", "/var/lib/jetfleet.kept")
    board.run("systemctl", "start", UNIT)
    assert device_id(board) == known
    record.note("a start on a full disk", "active, paused, says why; goes on when there is space")


def test_an_upgrade_in_place_keeps_the_identity(board: Guest, controller: LabController, record: Record):
    known, pid = device_id(board), board.main_pid(UNIT)
    key = board.run("sha256sum", "/var/lib/jetfleet/credentials/key.pem")
    version = board.run("sh", "-c", f"{PYTHON} -c 'import jetfleet.version as v; print(v.__file__)'").strip()
    board.run("sed", "-i", 's/VERSION = "[0-9.]*"/VERSION = "0.2.9"/', version)
    board.run(AGENT, "install", "--native", check=False)
    wait_for(lambda: state(board) == ("active", "running"), what="the unit to be active")
    assert board.main_pid(UNIT) != pid
    assert device_id(board) == known
    assert board.run("sha256sum", "/var/lib/jetfleet/credentials/key.pem") == key
    with controller.client() as client:
        wait_for(lambda: online(client), what="orin-1 to be online")
        assert [device.name for device in client.devices()] == ["orin-1"]
    again = board.main_pid(UNIT)
    assert "nothing had to be changed" in board.run(AGENT, "install", "--native", check=False)
    assert board.main_pid(UNIT) == again
    record.note(
        "an upgrade in place", "same device, same key, agent restarted; run again: nothing changed, not restarted"
    )


def test_an_uninstall_leaves_nothing_but_the_state_and_a_purge_not_even_that(board: Guest, record: Record):
    board.run(AGENT, "uninstall")
    left = added(board)
    assert {path for path in left if not path.startswith("/var/lib/jetfleet")} == set()
    assert {left[path].split()[1] for path in left} == {"root:root"}
    assert board.run("sh", "-c", "getent passwd jetfleet; getent group jetfleet; true") == ""
    board.run(AGENT, "install", "--native", check=False)
    wait_for(lambda: state(board) == ("active", "running"), what="the board to be a member as before")
    board.run(AGENT, "uninstall", "--purge")
    assert added(board) == {}
    record.note("left by uninstall", "the state folder, root's; by uninstall --purge: nothing (find before and after)")


# What systemd and the system's own tools keep: a random seed, counters, backups of the password files.
_OTHERS = re.compile(
    r"^/(etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|var/lib/systemd/.*|etc/.pwd.lock|run/.*|root/.*)$"
)


def added(board: Guest) -> dict[str, str]:
    now = board.files()
    return {path: now[path] for path in now if path not in BEFORE and not _OTHERS.match(path)}
