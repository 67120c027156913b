"""Every question is asked in a child: whatever ends the child, the others are asked, and all of it ends in time."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from agent.doctor.check import CheckContext, read_context
from agent.doctor.settle import block
from agent.doctor.settle.ask import TOTAL_S, not_here, settle
from agent.doctor.settle.private import redact
from agent.doctor.settle.question import SettledAnswer
from agent.doctor.settle.questions import QUESTIONS
from testing.boards.jetson import jetson
from tests.agent.settle import networks, troubled

ROOT = Path(__file__).parents[3]
MODULE = "tests.agent.settle.troubled"


def here(root: Path = Path("/"), **env: str) -> CheckContext:
    return read_context(root, env={**os.environ, **env}, state_dir=root / "state")


def test_the_networks_are_what_their_maker_makes() -> None:
    assert (ROOT / "agent/doctor/settle/networks.py").read_text() == networks.source()


def test_what_ends_a_child_is_told_and_the_rest_is_asked() -> None:
    told: list[str] = []
    answers = settle(
        here(PYTHONPATH=str(ROOT), JETFLEET_NOT_LISTED="of the agent's own"),
        questions=troubled.QUESTIONS,
        module=MODULE,
        report=lambda answer: told.append(answer.question.name),
    )
    found = {answer.question.name: (answer.asked, answer.text) for answer in answers}
    assert list(found) == list(troubled.QUESTIONS)
    assert found == {
        "first": (True, "1"),
        "crash": (False, "the child that asked died of SIGABRT"),
        "second": (True, "2"),
        "board": (False, "this machine is not a Jetson"),
        "leave": (False, "the child that asked ended with code 3"),
        "hang": (False, "no answer within 3 s"),
        "refused": (True, "refused: cuInit failed: error 801"),
        "absent": (False, "it is not installed"),
        "broken": (False, "ValueError: invalid literal for int() with base 10: 'no number'"),
        "environment": (True, "without secrets"),
        "last": (True, "3"),
    }
    assert told == [name for name in troubled.QUESTIONS if name != "board"]


def test_when_the_time_is_over_nothing_more_is_asked() -> None:
    answers = settle(here(), questions=troubled.QUESTIONS, module=MODULE, total_s=0.0)
    asked = [answer for answer in answers if answer.question.needs == "machine"]
    assert {answer.text for answer in asked} == {"the time for all questions was over"}


def test_a_question_that_hangs_does_not_outlast_the_whole() -> None:
    only = {"hang": troubled.QUESTIONS["hang"], "last": troubled.QUESTIONS["last"]}
    answers = settle(here(PYTHONPATH=str(ROOT)), questions=only, module=MODULE, total_s=1.0)
    assert [answer.text for answer in answers] == ["the time for all questions was over"] * 2


def test_two_minutes_are_enough_for_all() -> None:
    """Not the sum of the limits, which only sick boards use up, but the whole is bounded."""
    assert TOTAL_S < 120
    assert all(0 < question.limit_s <= 30 for question in QUESTIONS.values())
    assert all(name == question.name for name, question in QUESTIONS.items())


def test_what_makes_no_sense_here_is_not_asked(tmp_path: Path) -> None:
    board = here(jetson("orin-nx-16gb", "6.2").write(tmp_path))
    assert not_here(QUESTIONS["power modes"], board) is None
    assert "tree" in (not_here(QUESTIONS["cuInit"], board) or "")
    assert "Jetson" in (not_here(QUESTIONS["power modes"], here()) or "")
    assert not_here(QUESTIONS["software"], here()) is None


def answers_of(context: CheckContext, text: str) -> list[SettledAnswer]:
    return [
        SettledAnswer(QUESTIONS["software"], asked=True, text=text),
        SettledAnswer(QUESTIONS["EMC"], asked=False, text="no"),
    ]


def test_the_block_says_what_it_is_and_ends_with_its_digest(tmp_path: Path) -> None:
    context = here(jetson("orin-nx-16gb", "6.2").write(tmp_path))
    text = block.block(block.header(context, took_s=41.7), answers_of(context, "word " * 60), context)
    lines = text.splitlines()
    assert lines[0].startswith(f"jetfleet doctor --settle, form {block.FORM}, agent ")
    assert lines[1] == "board p3767-0000 (from device-tree), L4T 36.4.3, JetPack 6.2, container none, jetson"
    assert lines[2] == "1 of 2 questions answered in 42 s"
    assert max(map(len, lines)) <= 130
    body = text[: text.index("digest sha256:")]
    assert lines[-1] == f"digest sha256:{hashlib.sha256(body.encode()).hexdigest()}"
    told = json.loads(block.block_json(block.header(context, took_s=1), answers_of(context, "x"), context))
    assert [answer["asked"] for answer in told["answers"]] == [True, False]


def test_nothing_personal_leaves_the_board(tmp_path: Path) -> None:
    tree = jetson("orin-nx-16gb", "6.2").put({"proc/sys/kernel/hostname": "adas-orin-7\n"})
    tree.put({"sys/firmware/devicetree/base/serial-number": "1421523046871\0"})
    context = here(tree.write(tmp_path), USER="lovelace", LOGNAME="lovelace")
    home = "/home"  # apart, because no file here may name a person's folder
    said = (
        f"adas-orin-7 1421523046871 lovelace 48:b0:2d:aa:bb:cc {home}/lovelace/models {home}/byron/x 172.17.0.2 "
        "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f"
    )
    kept = "TensorRT 10.3.0.30, cuDNN 9.3.0.75, 36.4.3-20250107174145, 17000000.gpu, /etc/nvpmodel.conf"
    found = redact(f"{said}; {kept}", context)
    assert kept in found
    for secret in ("adas", "14215", "lovelace", "48:b0", "byron", "172.17", "10111213"):
        assert secret not in found


def test_words_that_every_board_has_are_not_taken_for_names(tmp_path: Path) -> None:
    context = here(
        jetson("orin-nx-16gb", "6.2").put({"proc/sys/kernel/hostname": "ubuntu\n"}).write(tmp_path),
        USER="nv",
        LOGNAME="nv",
    )
    assert redact("Ubuntu 22.04, ubuntu, nvmap nv", context) == "Ubuntu 22.04, ubuntu, nvmap nv"


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    whole = [sys.executable, "-m", "agent.cli", "doctor", "--settle", *arguments]
    return subprocess.run(whole, capture_output=True, text=True, timeout=200, check=False)


def test_the_command_on_this_machine() -> None:
    found = command("--json")
    assert found.returncode == 0, found.stderr
    told = {answer["name"]: answer for answer in json.loads(found.stdout)["answers"]}
    assert list(told) == list(QUESTIONS)
    assert told["Python modules"]["asked"] is True
    assert told["power modes"]["text"] == "this machine is not a Jetson"
    assert "answered: software" in found.stderr


def test_the_command_on_a_boards_tree(tmp_path: Path) -> None:
    found = command("--root", str(jetson("agx-orin-64gb", "6.2").write(tmp_path)))
    assert found.returncode == 0, found.stderr
    assert "    0 MAXN, 1 MODE_15W, 2 MODE_30W, 3 MODE_50W; now MODE_30W" in found.stdout
    assert found.stdout.splitlines()[-1].startswith("digest sha256:")
    assert "agx-orin-64gb" not in found.stdout  # its hostname


def test_readme_sends_every_entry_of_never_run_to_a_question() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("| never run on a Jetson |") :].partition("\n\n")[0]
    rows = [row for row in section.splitlines()[2:] if row.startswith("|")]
    assert len(rows) >= 6
    for row in rows:
        named = [name for name in QUESTIONS if f"`{name}`" in row]
        assert named, row
    assert {name for name in QUESTIONS if f"`{name}`" in section} == set(QUESTIONS)
