"""A disk that fills up while files arrive: told in words, and survived."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.proto.uploads import with_proto

FULL = textwrap.dedent("""
    import hashlib, pathlib, sys
    from jetfleet.blobs import BlobDir
    from jetfleet.errors import DiskFull
    full, source = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    data = source.read_bytes()
    sha = hashlib.sha256(data).hexdigest()
    blobs = BlobDir(full)
    try:
        blobs.put_file(source)
    except DiskFull as error:
        print("put:", error)
    print("left:", [item.name for item in blobs.incoming.iterdir()])
    upload = blobs.open_upload(sha, size=len(data), offset=0)
    try:
        for start in range(0, len(data), 100_000):
            upload.write(data[start:start + 100_000])
    except DiskFull as error:
        print("upload:", error.message)
    print("closed:", upload.close(), "has:", blobs.has(sha))
    received = blobs.received(sha)
    (full / "ballast").unlink()
    upload = blobs.open_upload(sha, size=len(data), offset=received)
    upload.write(data[received:])
    print("resumed after", received > 0, upload.close())
    blobs.verify(sha)
""")


def test_a_full_disk_is_told_and_survived(tmp_path):
    """A real file system of 2 MB, in a mount namespace of its own."""
    unshare = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    source, mount = tmp_path / "source", tmp_path / "full"
    source.write_bytes(os.urandom(1_500_000))
    mount.mkdir()
    script = f"""
        mount -t tmpfs -o size=2m none {mount} &&
        head -c 1500000 /dev/zero > {mount}/ballast &&
        exec "$0" -W error -c "$1" {mount} {source}
    """
    done = subprocess.run(
        [*unshare, "sh", "-c", script, sys.executable, FULL],
        capture_output=True,
        text=True,
        check=False,
        env=with_proto(),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"put: no space left for {mount}/incoming",
        "  fix: free some space and try again",
        "left: []",
        f"upload: no space left for {mount}/incoming",
        "closed: False has: False",
        "resumed after True True",
    ]
