"""Brings the files of a task into the agent's BlobDir before its child starts."""

import asyncio
import logging
from collections.abc import Collection
from pathlib import Path

from agent.attempt import inputs_of
from agent.daemon.client import Link
from agent.daemon.heartbeat import ActiveAttempt
from agent.daemon.recall import is_sound
from jetfleet.blobs import BlobDir
from jetfleet.errors import DiskFull, Unreachable
from jetfleet.v1.task_pb2 import Artifact

log = logging.getLogger(__name__)

_PAUSE_S = 1.0


async def fetch_inputs(attempt: ActiveAttempt, link: Link, blobs: BlobDir, *, blobs_from: Path | None) -> None:
    """Returns when every input is here, or the attempt was stopped. Waits through an outage: the heartbeat ends that.

    `blobs_from` is a BlobDir on this machine (an embedded controller's): its files are taken by hard link.
    """
    for artifact in inputs_of(attempt.task):
        if await asyncio.to_thread(_is_here, artifact.sha256, blobs, blobs_from):
            continue
        while not attempt.stop.is_set():
            try:
                await _download(artifact, link, blobs, wanted=[item.sha256 for item in inputs_of(attempt.task)])
                break
            except Unreachable:
                await asyncio.sleep(_PAUSE_S)


async def _download(artifact: Artifact, link: Link, blobs: BlobDir, *, wanted: Collection[str]) -> None:
    """Brings a file; on a full disk once more, without what is only kept to save a download. Raises DiskFull."""
    try:
        await link.download(artifact, blobs)
    except DiskFull:
        log.warning("no room for %s: dropping files that this task does not need", artifact.sha256[:12])
        await asyncio.to_thread(blobs.keep_only, wanted)
        try:
            await link.download(artifact, blobs)
        except DiskFull:
            blobs.forget_part(artifact.sha256)
            raise


def _is_here(sha256: str, blobs: BlobDir, blobs_from: Path | None) -> bool:
    """A linked file is read as any other is: the other side's disk is no better than ours."""
    if is_sound(blobs, sha256):
        return True
    return blobs_from is not None and blobs.link_from(blobs_from, sha256) and is_sound(blobs, sha256)
