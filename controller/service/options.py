"""How a controller is started."""

from dataclasses import dataclass
from pathlib import Path

# A lease outlives five lost Renews; an agent that cannot renew stops itself before it ends.
LEASE_S = 30.0
RENEW_S = 5.0


@dataclass(frozen=True)
class ServeOptions:
    """`listen` is HOST:PORT on loopback (port 0: any free one) or None; the state folder's socket is always served."""

    state_dir: Path
    listen: str | None = None
    embedded: bool = False
    idle_s: float = 60.0
    lease_s: float = LEASE_S
    renew_s: float = RENEW_S
    drain_s: float = 10.0
    accept_empty_database: bool = False  # beside files of earlier jobs
    min_free_percent: float = 2.0  # of the disk: no upload is taken that would leave less
