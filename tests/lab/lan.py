"""Hosts of a local network, each in a network namespace of its own, as is the switch; nothing touches the machine's."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from testing.processes import wait_for

_NET, _PRIVATE = "10.231.88", "10.231.89"
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=0.5)
except OSError as error:
    print(error.strerror)
"""
_PACKAGES = {"ip": "iproute2", "nft": "nftables", "faketime": "faketime"}
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


def said(*words: str, given: str = "", check: bool = True) -> str:
    """What a command printed. Raises AssertionError with what it said of its failure."""
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=300, check=False)
    assert not check or done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


def install_tools() -> None:
    missing = [package for tool, package in _PACKAGES.items() if shutil.which(tool) is None]
    if missing:
        said("apt-get", "install", "-y", "--no-install-recommends", *missing)


class Lan:
    """`hosts` lie on one switch; one more, `behind`, lies behind a router that translates addresses."""

    def __init__(self, hosts: Sequence[str], *, behind: str) -> None:
        self._prefix = f"jfn{os.getpid()}"
        self._hosts, self._behind = (*hosts, "router"), behind

    def __enter__(self) -> "Lan":
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in (*self._hosts, self._behind, "switch"):
            said("ip", "netns", "del", self.namespace(host), check=False)

    def namespace(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def inside(self, host: str) -> tuple[str, ...]:
        """Before a command: it runs on that host."""
        return ("ip", "netns", "exec", self.namespace(host))

    def address(self, host: str) -> str:
        return f"{_NET}.{self._hosts.index(host) + 1}"

    def _make(self) -> None:
        switch = self.namespace("switch")
        said("ip", "netns", "add", switch)
        said("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        said("ip", "-n", switch, "link", "set", "br0", "up")
        for host in self._hosts:
            self._add(host)
            self._link(host, "eth0", to="switch", peer=f"p-{host}", address=f"{self.address(host)}/24")
            said("ip", "-n", switch, "link", "set", f"p-{host}", "master", "br0", "up")
        self._add(self._behind)
        self._link(self._behind, "eth0", to="router", peer="in0", address=f"{_PRIVATE}.2/24")
        said("ip", "-n", self.namespace("router"), "addr", "add", f"{_PRIVATE}.1/24", "dev", "in0")
        said("ip", "-n", self.namespace("router"), "link", "set", "in0", "up")
        said("ip", "-n", self.namespace(self._behind), "route", "add", "default", "via", f"{_PRIVATE}.1")
        said(*self.inside("router"), "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        said(*self.inside("router"), "nft", "-f", "-", given=_MASQUERADE)
        said(*self.inside(self._behind), "nft", "-f", "-", given=_OUTWARD_ONLY)
        for host in (*self._hosts[1:], self._behind):
            wait_for(lambda host=host: self._reaches(host), what=f"{host} to reach {self._hosts[0]}")  # type: ignore[misc]

    def _add(self, host: str) -> None:
        said("ip", "netns", "add", self.namespace(host))
        said("ip", "-n", self.namespace(host), "link", "set", "lo", "up")

    def _link(self, host: str, device: str, *, to: str, peer: str, address: str) -> None:
        one, other = self.namespace(host), self.namespace(to)
        said("ip", "link", "add", device, "netns", one, "type", "veth", "peer", "name", peer, "netns", other)
        said("ip", "-n", one, "addr", "add", address, "dev", device)
        said("ip", "-n", one, "link", "set", device, "up")

    def _reaches(self, host: str) -> bool:
        """A port of a bridge takes up to a second before it forwards. Nobody listens there yet, and that is heard."""
        return "refused" in said(*self.inside(host), sys.executable, "-c", _CONNECT, self.address(self._hosts[0]))
