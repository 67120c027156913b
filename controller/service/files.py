"""Files for the services: the table says which are there, the blob store holds their bytes."""

import asyncio
from collections.abc import Collection
from functools import partial

from controller.blobstore.protocol import BlobStore
from controller.service.context import ServiceContext
from controller.store.commands.blobs import keep_blobs, lose_blobs, touch_blobs
from controller.store.queries.blobs import idle_blobs, missing_blobs


async def missing_files(service: ServiceContext, digests: Collection[str]) -> list[str]:
    """Those that are not there. A file that came by another way than an upload is noticed here."""
    missing = await service.read(partial(missing_blobs, digests=digests))
    await _touch(service, set(digests) - set(missing))
    if not missing:
        return []
    found = await asyncio.to_thread(_sizes, service.blobs, [item for item in missing if item not in service.deleting])
    if found:
        await service.write(partial(keep_blobs, sizes=found))
        service.recall.end(found)
    return [sha256 for sha256 in missing if sha256 not in found]


async def lose(service: ServiceContext, sha256: str) -> None:
    """A file is gone or damaged: agents that hold it are asked for it."""
    service.recall.seek(await service.write(partial(lose_blobs, digests=[sha256])))


async def _touch(service: ServiceContext, digests: Collection[str]) -> None:
    """Somebody counts on these: they are not removed before he has said what for."""
    if idle := await service.read(partial(idle_blobs, digests=digests)):
        await service.write(partial(touch_blobs, digests=idle))


def _sizes(blobs: BlobStore, digests: Collection[str]) -> dict[str, int]:
    sizes = {sha256: blobs.size(sha256) for sha256 in digests}
    return {sha256: size for sha256, size in sizes.items() if size is not None}
