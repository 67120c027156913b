"""The bounded log against an unbounded one, and what of an environment a child may see."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.child_env import PASSED, PASSED_PREFIXES, child_env
from agent.daemon.child import LogFile


def write(blocks: list[bytes], *, head: int, tail: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        log = LogFile(path, head_bytes=head, tail_bytes=tail)
        for block in blocks:
            log.write(block)
        log.close()
        log.write(b"too late")
        return path.read_bytes()


@given(st.lists(st.binary(max_size=20), max_size=20), st.integers(0, 30), st.integers(1, 30))
def test_the_first_and_the_last_bytes_are_kept_and_the_rest_is_counted(
    blocks: list[bytes], head: int, tail: int
) -> None:
    whole, kept = b"".join(blocks), write(blocks, head=head, tail=tail)
    if len(whole) <= head + tail:
        assert kept == whole
    else:
        notice = f"\n[... {len(whole) - head - tail} bytes of log left out here ...]\n".encode()
        assert kept == whole[:head] + notice + whole[-tail:]


def test_the_last_lines_fit_in_a_message(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log")
    log.write(b"one\n\n  two\xff\n" + b"x" * 500 + b"\n")
    log.close()
    assert log.last_lines(2) == "two\ufffd | " + "x" * 200


def test_a_child_sees_what_it_needs_and_no_secret() -> None:
    needed = {"PATH": "/bin", "JETFLEET_THREADS": "2", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "0"}
    needed["container"] = "podman"  # else a board in podman's container would say that it is in none
    hidden = {"JETFLEET_TOKEN": "t", "JETFLEET_JOIN_SECRET": "s", "GITHUB_TOKEN": "t", "PGPASSWORD": "p", "EDITOR": "e"}
    hidden |= {"AWS_ACCESS_KEY_ID": "a", "AWS_PROFILE": "a", "HF_TOKEN": "t", "NVIDIA_API_KEY": "n", "LD_PRELOAD": "x"}
    hidden |= {"JETFLEET_DATABASE": "postgres://me:word@db", "JETFLEET_ADDRESS": "unix:/run/c", "SSH_AUTH_SOCK": "s"}
    hidden |= {"CUDA_API_KEY": "k", "OMP_AUTH": "k", "LC_PASSWORD": "p"}
    assert child_env({**needed, **hidden}) == needed


def test_every_variable_that_passes_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "devices.md").read_text()
    assert [name for name in (*PASSED, *PASSED_PREFIXES) if f"`{name}" not in text] == []
