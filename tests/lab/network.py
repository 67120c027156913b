"""Hosts in network namespaces: a switch in one of its own, so that nothing touches the machine's own network."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from testing.processes import BrokenRun


def run(*words: str, given: str = "", env: Mapping[str, str] | None = None, check: bool = True) -> str:
    """What a command printed; `env` is what it sees beside our own. Raises BrokenRun with what it said of a failure."""
    done = subprocess.run(
        words, input=given, capture_output=True, text=True, timeout=600, env={**os.environ, **(env or {})}, check=False
    )
    if check and done.returncode:
        told = f"{done.stderr[-2000:]}{done.stdout[-2000:]}"
        raise BrokenRun(f"{' '.join(words)[:200]} ended with {done.returncode}: {told}")
    return done.stdout


def install_missing(tools: Mapping[str, str]) -> None:
    """Commands by name, and the packages that have them."""
    missing = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if missing:
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "--no-install-recommends", *missing)


class LabNetwork:
    """`hosts` get addresses in order, below `net`; each lies in a namespace PREFIX-HOST."""

    def __init__(self, hosts: Sequence[str], *, prefix: str = "jfu", net: str = "10.231.87") -> None:
        self.prefix = f"{prefix}{os.getpid()}"
        self.hosts = tuple(hosts)
        self._net = net

    def __enter__(self) -> "LabNetwork":
        self._remove()
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def path(self, host: str) -> str:
        return f"/run/netns/{self.namespace(host)}"

    def address(self, host: str) -> str:
        return f"{self._net}.{self.hosts.index(host) + 1}"

    def _make(self) -> None:
        switch = self.namespace("sw")
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for host in self.hosts:
            self._add(host)
            self._link(host, "eth0", to="sw", peer=f"p-{host}", address=f"{self.address(host)}/24")
            run("ip", "-n", switch, "link", "set", f"p-{host}", "master", "br0", "up")

    def _add(self, host: str) -> None:
        run("ip", "netns", "add", self.namespace(host))
        run("ip", "-n", self.namespace(host), "link", "set", "lo", "up")

    def _link(self, host: str, device: str, *, to: str, peer: str, address: str) -> None:
        one, other = self.namespace(host), self.namespace(to)
        run("ip", "link", "add", device, "netns", one, "type", "veth", "peer", "name", peer, "netns", other)
        run("ip", "-n", one, "addr", "add", address, "dev", device)
        run("ip", "-n", one, "link", "set", device, "up")

    def _namespaces(self) -> tuple[str, ...]:
        return (*self.hosts, "sw")

    def _remove(self) -> None:
        for host in self._namespaces():
            run("ip", "netns", "del", self.namespace(host), check=False)
