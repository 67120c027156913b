"""The sampler as the process that measures sees it: started, waited for, stopped, and its answer read.

A sampler that fails costs its telemetry and nothing else: what went wrong is then the reason that is shown.
"""

import json
import logging
import select
import signal
import subprocess
import time
from pathlib import Path

from agent.telemetry.series import Telemetry, parse
from jetfleet.interpreter import PYTHON

_log = logging.getLogger(__name__)
_READY_S = 10.0  # NVML's first call on a machine with many GPUs
_ANSWER_S = 10.0


class SamplerProcess:
    """From `start` on the machine is sampled; `stop` gives what was seen."""

    def __init__(self, root: Path = Path("/"), *, pci_address: str = "") -> None:
        self._command = [PYTHON, "-m", "agent.telemetry.sampler", "--root", str(root)]
        self._command += ["--pci-address", pci_address]
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._lost = "telemetry was not begun"

    def start(self) -> None:
        try:
            # Unbuffered: its first line is read before the rest, and nothing of that may be taken along.
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        except OSError as error:
            self._lost = f"the sampler did not start: {error}"

    def wait_ready(self) -> bool:
        """Until it has found its channels; whether the machine at rest is worth waiting for."""
        process = self._process
        if process is None or process.stdout is None or self._is_ready:
            return False
        ready, _, _ = select.select([process.stdout], [], [], _READY_S)
        line = process.stdout.readline() if ready else b""
        if not line:
            self._give_up(process, f"the sampler was not ready after {_READY_S:.0f} s")
            return False
        self._is_ready = True
        return bool(json.loads(line)["idle_matters"])

    def send_signal(self, number: signal.Signals) -> None:
        """To the process, while there is one: a stopped one samples nothing until it is continued."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> Telemetry:
        """Ends it. Safe to be called again: then there is nothing."""
        process, self._process = self._process, None
        if process is None:
            return Telemetry(lost=self._lost)
        self._lost = "telemetry has ended"
        try:
            answer, _ = process.communicate(timeout=_ANSWER_S)
            return parse(json.loads(answer.splitlines()[-1]))
        except (subprocess.TimeoutExpired, ValueError, IndexError, KeyError) as error:
            _log.warning("the sampler gave no answer: %r", error)
            return Telemetry(lost="the sampler gave no answer")
        finally:
            _end(process)

    def _give_up(self, process: "subprocess.Popen[bytes]", why: str) -> None:
        _log.warning("%s", why)
        _end(process)
        self._process, self._lost = None, why


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def rest(seconds: float) -> tuple[float, float]:
    """Does nothing for so long; the window of that."""
    begin = time.monotonic()
    time.sleep(seconds)
    return begin, time.monotonic()
