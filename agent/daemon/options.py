"""What an agent is started with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.child_env import CACHE_VARIABLE
from agent.daemon.bench_lock import PLACES
from agent.helper.client import SOCKET
from jetfleet.service_manager import ServiceManager
from jetfleet.transport import Credentials
from jetfleet.v1 import task_pb2


@dataclass(frozen=True)
class AgentOptions:
    """How an agent is started. `read_facts` is called again when a task showed that the facts had changed."""

    address: str
    state_dir: Path
    name: str
    name_asked: bool  # somebody chose it
    read_facts: Callable[[], task_pb2.Facts]
    boot_id: str
    serial: str
    bench_domain: str
    env: dict[str, str]
    idle_exit_s: float | None = None
    drain_s: float = 30.0
    blobs_from: Path | None = None
    lock_places: tuple[Path, ...] = PLACES
    own_engines_only: bool = False
    credentials: Credentials | None = None  # None: the controller is on a socket of this machine
    helper: Path = SOCKET  # who sets power modes and clocks, where one is there
    pulse: Path | None = None  # touched at each answer of the controller
    service_manager: ServiceManager = field(default_factory=ServiceManager)

    @property
    def child_env(self) -> dict[str, str]:
        """What attempts are given, the folder that outlives them included."""
        return {**self.env, CACHE_VARIABLE: str(self.state_dir / "cache")}
