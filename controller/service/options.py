"""How a controller is started."""

from dataclasses import dataclass
from pathlib import Path

# A lease outlives five lost Renews; an agent that cannot renew stops itself before it ends.
LEASE_S = 30.0
RENEW_S = 5.0
CERTIFICATE_S = 14 * 24 * 3600.0  # of a board
RETAIN_LITTER_S = 30 * 86400.0
BOARD_QUOTA_BYTES = 32 * 10**9  # an engine of the largest board's memory, half of it


@dataclass(frozen=True)
class ServeOptions:
    """`listen` is HOST:PORT for people, CI and boards that enrol, `agents` for boards that did; port 0 is any free one.

    The state folder's socket is always served. `hosts` are names and addresses by which others reach this machine.
    """

    state_dir: Path
    listen: str | None = None
    agents: str | None = None
    metrics: str | None = None  # HOST:PORT of /metrics and /healthz
    hosts: tuple[str, ...] = ()
    embedded: bool = False
    idle_s: float = 60.0
    lease_s: float = LEASE_S
    renew_s: float = RENEW_S
    drain_s: float = 10.0
    foreign_engines: bool = True  # boards run engines that others of their class built
    certificate_s: float = CERTIFICATE_S
    accept_empty_database: bool = False  # beside files of earlier jobs
    min_free_percent: float = 2.0  # of the disk: no upload is taken that would leave less
    board_quota_bytes: int = BOARD_QUOTA_BYTES  # of files that a board sent and no accepted result names
    retain_s: float | None = None  # how long jobs, results and engines are kept; None: for ever
    retain_bytes: int | None = None  # of files; None: however many
    retain_litter_s: float | None = RETAIN_LITTER_S  # what nobody needs any more; None: for ever
    retain_every_s: float = 3600.0
