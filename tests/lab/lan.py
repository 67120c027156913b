"""A local network like a home's: hosts on one switch, and one more behind a router that translates addresses."""

import sys
from collections.abc import Sequence
from functools import partial

from testing.processes import wait_for
from tests.lab.network import LabNetwork, install_missing, run

_NET, _PRIVATE = "10.231.88", "10.231.89"
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=0.5)
except OSError as error:
    print(error.strerror)
"""
# What a home router lets in, and what the most careful of boards does: nothing that it did not ask for.
_OUTWARD_ONLY = """
table inet lab { chain in { type filter hook input priority 0; policy drop;
  iif lo accept; ct state established,related accept; }; }
"""
_MASQUERADE = """
table inet lab { chain out { type nat hook postrouting priority 100; oifname "eth0" masquerade; };
  chain through { type filter hook forward priority 0; policy drop;
    iifname "in0" accept; ct state established,related accept; }; }
"""


def install_tools() -> None:
    install_missing({"ip": "iproute2", "nft": "nftables", "faketime": "faketime"})


class Lan(LabNetwork):
    """`hosts` lie on one switch with a router; one more, `behind`, lies behind that."""

    def __init__(self, hosts: Sequence[str], *, behind: str) -> None:
        super().__init__((*hosts, "router"), prefix="jfn", net=_NET)
        self._behind = behind

    def inside(self, host: str) -> tuple[str, ...]:
        """Before a command: it runs on that host."""
        return ("ip", "netns", "exec", self.namespace(host))

    def _make(self) -> None:
        super()._make()
        self._add(self._behind)
        self._link(self._behind, "eth0", to="router", peer="in0", address=f"{_PRIVATE}.2/24")
        run("ip", "-n", self.namespace("router"), "addr", "add", f"{_PRIVATE}.1/24", "dev", "in0")
        run("ip", "-n", self.namespace("router"), "link", "set", "in0", "up")
        run("ip", "-n", self.namespace(self._behind), "route", "add", "default", "via", f"{_PRIVATE}.1")
        run(*self.inside("router"), "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        run(*self.inside("router"), "nft", "-f", "-", given=_MASQUERADE)
        run(*self.inside(self._behind), "nft", "-f", "-", given=_OUTWARD_ONLY)
        for host in (*self.hosts[1:], self._behind):
            wait_for(partial(self._reaches, host), what=f"{host} to reach {self.hosts[0]}")

    def _namespaces(self) -> tuple[str, ...]:
        return (*super()._namespaces(), self._behind)

    def _reaches(self, host: str) -> bool:
        """A port of a bridge takes up to a second before it forwards. Nobody listens there yet, and that is heard."""
        return "refused" in run(*self.inside(host), sys.executable, "-c", _CONNECT, self.address(self.hosts[0]))
