"""Brings the files of a task into the agent's BlobDir before its child starts."""

import asyncio
from pathlib import Path

from agent.attempt import inputs_of
from agent.client import Link
from agent.heart import Held
from jetfleet.blobs import BlobDir
from jetfleet.errors import Unreachable

_PAUSE_S = 1.0


async def fetch_inputs(held: Held, link: Link, blobs: BlobDir, *, blobs_from: Path | None) -> None:
    """Returns when every input is here, or the attempt was told to stop. An outage is waited out: the heart fences.

    `blobs_from` is a BlobDir on this machine (an embedded controller's): its files are taken by hard link.
    """
    for artifact in inputs_of(held.task):
        if blobs.has(artifact.sha256) or (blobs_from is not None and blobs.link_from(blobs_from, artifact.sha256)):
            continue
        while not held.stop.is_set():
            try:
                await link.download(artifact, blobs)
                break
            except Unreachable:
                await asyncio.sleep(_PAUSE_S)
