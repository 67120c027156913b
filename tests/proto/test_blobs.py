"""Files by content: nothing appears under a digest that is not it, whatever happens on the way."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jetfleet.blobs import BLOCK_BYTES, CHUNK_BYTES, BlobDir, check_digest, chunks, sha256_file
from jetfleet.errors import BadInput, Corrupt, Infrastructure, WrongOffset
from tests.proto.uploads import DATA, SHA, send, sha, with_proto


@pytest.fixture
def blobs(tmp_path):
    return BlobDir(tmp_path / "blobs")


def leftovers(blobs):
    return sorted(item.name for item in blobs.incoming.iterdir())


def test_an_upload_is_published_under_its_digest(blobs):
    assert not blobs.has(SHA)
    assert send(blobs, DATA)
    assert blobs.has(SHA)
    assert blobs.path(SHA).read_bytes() == DATA
    assert blobs.path(SHA).stat().st_mode & 0o777 == 0o444
    assert leftovers(blobs) == []


def test_an_empty_file_is_a_file_too(blobs):
    assert send(blobs, b"")
    assert blobs.path(sha(b"")).read_bytes() == b""


def test_an_upload_resumes_where_it_stopped(blobs, tmp_path):
    first = blobs.open_upload(SHA, size=len(DATA), offset=0)
    first.write(DATA[:3000])
    assert first.close() is False
    assert not blobs.has(SHA)
    again = BlobDir(tmp_path / "blobs")  # as after a restart
    assert again.received(SHA) == 3000
    assert send(again, DATA, offset=3000)
    assert again.path(SHA).read_bytes() == DATA
    assert again.received(SHA) == 0


@settings(max_examples=30)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_cuts_give_the_same_file(tmp_path_factory, data, cuts):
    blobs = BlobDir(tmp_path_factory.mktemp("cut"))
    done = False
    for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        offset = blobs.received(sha(data))
        if done:
            break
        upload = blobs.open_upload(sha(data), size=len(data), offset=offset)
        upload.write(data[offset:end])
        done = upload.close()
    assert done
    assert blobs.path(sha(data)).read_bytes() == data


@pytest.mark.parametrize("offset", [0, 2999, 3001, len(DATA)])
def test_a_wrong_offset_names_the_right_one(blobs, offset):
    first = blobs.open_upload(SHA, size=len(DATA), offset=0)
    first.write(DATA[:3000])
    first.close()
    with pytest.raises(WrongOffset, match=f"must continue at byte 3000, not {offset}"):
        blobs.open_upload(SHA, size=len(DATA), offset=offset)
    assert send(blobs, DATA, offset=3000)


def test_corrupt_bytes_are_refused_and_forgotten(blobs):
    with pytest.raises(Corrupt, match="send it again"):
        send(blobs, DATA[:-1] + b"?", SHA)
    assert not blobs.has(SHA)
    assert blobs.received(SHA) == 0
    assert send(blobs, DATA)


def test_a_flipped_bit_in_an_unfinished_upload_is_found(blobs):
    first = blobs.open_upload(SHA, size=len(DATA), offset=0)
    first.write(DATA[:3000])
    first.close()
    flip(blobs.incoming / f"{SHA}.part", 1234)
    with pytest.raises(Corrupt):
        send(blobs, DATA, offset=3000)
    assert not blobs.has(SHA)


def test_more_bytes_than_announced_are_refused(blobs):
    upload = blobs.open_upload(SHA, size=100, offset=0)
    upload.write(DATA[:60])
    with pytest.raises(BadInput, match="longer than the 100 bytes it announced"):
        upload.write(DATA[60:101])
    assert upload.received == 60
    assert upload.close() is False


def test_a_smaller_announcement_than_what_is_there_starts_anew(blobs):
    first = blobs.open_upload(SHA, size=len(DATA), offset=0)
    first.write(DATA[:3000])
    first.close()
    with pytest.raises(Corrupt):
        send(blobs, DATA[:100], SHA)
    assert blobs.received(SHA) == 0


def test_two_uploads_of_the_same_bytes_do_not_mix(blobs):
    first = blobs.open_upload(SHA, size=len(DATA), offset=0)
    first.write(DATA[:3000])
    with pytest.raises(Infrastructure, match=r"another upload of \w+ is in progress"):
        blobs.open_upload(SHA, size=len(DATA), offset=0)
    other = send(blobs, b"another file")
    first.write(DATA[3000:])
    assert first.close()
    assert other
    assert blobs.path(SHA).read_bytes() == DATA


def test_an_upload_whose_file_was_published_meanwhile_does_not_touch_the_blob(blobs, tmp_path):
    """Between open and lock another process finishes: the lock is then on a published blob."""
    late = textwrap.dedent("""
        import os, pathlib, sys
        from jetfleet import blobs
        from jetfleet.errors import Infrastructure
        root, sha = pathlib.Path(sys.argv[1]), sys.argv[2]
        store = blobs.BlobDir(root)
        lock = blobs.fcntl.flock
        def publish_first(file, how):  # the other process is faster than our lock
            os.replace(root / "incoming" / f"{sha}.part", store._place_for(sha))
            lock(file, how)
        blobs.fcntl.flock = publish_first
        try:
            store.open_upload(sha, size=10**6, offset=0)
        except Infrastructure as error:
            print(error.message)
    """)
    upload = blobs.open_upload(SHA, size=len(DATA), offset=0)
    upload.write(DATA[:-1])
    upload.close()
    command = [sys.executable, "-W", "error", "-c", late, str(tmp_path / "blobs"), SHA]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=with_proto())
    assert "is in progress" in done.stdout
    assert blobs.path(SHA).read_bytes() == DATA[:-1]


def test_closing_twice_changes_nothing(blobs):
    upload = blobs.open_upload(SHA, size=len(DATA), offset=0)
    upload.write(DATA)
    assert upload.close()
    assert upload.close()
    half = blobs.open_upload(sha(b"xy"), size=2, offset=0)
    half.write(b"x")
    assert not half.close()
    assert not half.close()


def test_uploading_what_is_there_already_is_harmless(blobs):
    assert send(blobs, DATA)
    assert send(blobs, DATA)
    assert blobs.path(SHA).read_bytes() == DATA


def test_put_file(blobs, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    assert blobs.put_file(source) == SHA
    assert blobs.put_file(source, SHA) == SHA
    assert blobs.path(SHA).read_bytes() == DATA
    with pytest.raises(Corrupt, match="not " + "0" * 64):
        blobs.put_file(source, "0" * 64)
    assert not blobs.has("0" * 64)
    assert leftovers(blobs) == []


def flip(path, position, bit=0):
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ (1 << bit)]))


@settings(max_examples=25)
@given(position=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_on_disk_is_found_and_quarantined(tmp_path_factory, position, bit):
    blobs = BlobDir(tmp_path_factory.mktemp("flip"))
    send(blobs, DATA)
    blobs.verify(SHA)
    flip(blobs.path(SHA), position, bit)
    with pytest.raises(Corrupt, match="damaged on disk"):
        blobs.verify(SHA)
    assert not blobs.has(SHA)
    assert len(list((blobs.root / "quarantine").iterdir())) == 1
    assert send(blobs, DATA)
    blobs.verify(SHA)


@pytest.mark.parametrize("length", [0, 1, len(DATA) - 1])
def test_a_truncated_blob_is_found(blobs, length):
    send(blobs, DATA)
    blobs.path(SHA).chmod(0o644)
    os.truncate(blobs.path(SHA), length)
    with pytest.raises(Corrupt):
        blobs.verify(SHA)
    assert not blobs.has(SHA)


def test_a_blob_is_taken_by_hard_link(blobs, tmp_path):
    send(blobs, DATA)
    other = BlobDir(tmp_path / "other")
    assert other.link_from(blobs.root, SHA)
    assert other.link_from(blobs.root, SHA)  # there already
    assert other.path(SHA).stat().st_ino == blobs.path(SHA).stat().st_ino
    other.verify(SHA)


def test_what_cannot_be_linked_says_so(blobs, tmp_path):
    assert not blobs.link_from(tmp_path / "nowhere", SHA)
    assert not (blobs.root / "objects" / SHA[:2]).exists()
    elsewhere = Path("/dev/shm")
    if elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.fail("this test needs /dev/shm on a file system of its own")
    far = BlobDir(elsewhere / f"jetfleet-{os.getpid()}")
    try:
        send(far, DATA)
        assert not blobs.link_from(far.root, SHA)
        assert not blobs.has(SHA)
    finally:
        shutil.rmtree(far.root)


HOSTILE = ["", "..", "../../etc/passwd", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "/" + "a" * 63, "a" * 63 + "\n"]


@pytest.mark.parametrize("name", HOSTILE)
def test_only_a_digest_becomes_part_of_a_path(blobs, tmp_path, name):
    for call in (
        check_digest,
        blobs.path,
        blobs.has,
        blobs.received,
        blobs.verify,
        lambda item: blobs.open_upload(item, size=1, offset=0),
        lambda item: blobs.link_from(tmp_path, item),
    ):
        with pytest.raises(BadInput, match="is not a SHA-256"):
            call(name)


def test_chunks_are_bounded_and_start_at_an_offset(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(os.urandom(2 * CHUNK_BYTES + 5))
    sizes = [len(block) for block in chunks(path)]
    assert set(sizes[:-1]) == {BLOCK_BYTES}
    assert sum(sizes) == 2 * CHUNK_BYTES + 5
    assert b"".join(chunks(path, offset=7)) == path.read_bytes()[7:]
    assert list(chunks(path, offset=10 * CHUNK_BYTES)) == []
    assert sha256_file(path) == sha(path.read_bytes())


def test_errors_of_the_disk_that_are_not_fullness_stay_what_they_are(blobs, tmp_path):
    """A file size limit stops a write for real, half way: what was written is resumed later."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    upload = blobs.open_upload(SHA, size=len(DATA), offset=0)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        with pytest.raises(OSError, match="too large") as caught:
            upload.write(DATA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG
    assert upload.close() is False
    assert blobs.received(SHA) == 5000
    assert send(blobs, DATA, offset=5000)
    assert blobs.path(SHA).read_bytes() == DATA
