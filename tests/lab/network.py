"""Hosts in network namespaces: a switch in one of its own, so that nothing touches the machine's own network."""

import os
import subprocess
from collections.abc import Sequence

_NET = "10.231.87"


def run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}"
        )
    return done.stdout


class LabNetwork:
    """`hosts` get addresses in order; each lies in a namespace PREFIX-HOST."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.prefix = f"jfu{os.getpid()}"
        self.hosts = tuple(hosts)

    def __enter__(self) -> "LabNetwork":
        self._remove()
        switch = self.namespace("sw")
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for host in self.hosts:
            name = self.namespace(host)
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run(
                "ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", f"p-{host}", "netns", switch
            )
            run("ip", "-n", switch, "link", "set", f"p-{host}", "master", "br0", "up")
            run("ip", "-n", name, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def path(self, host: str) -> str:
        return f"/run/netns/{self.namespace(host)}"

    def address(self, host: str) -> str:
        return f"{_NET}.{self.hosts.index(host) + 1}"

    def _remove(self) -> None:
        for host in (*self.hosts, "sw"):
            run("ip", "netns", "del", self.namespace(host), check=False)
