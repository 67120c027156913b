"""Cold starts: what a person waits for at every command, and what the daemon must never load."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure, main
from benchmarks.processes import CONTROLLER, controller, scratch

_LOADED = "import sys, controller.cli.serve, controller.service.server; print('torch' in sys.modules)"


def start(tiny: bool) -> list[Figure]:
    rounds = 2 if tiny else 10
    with scratch() as folder, controller(folder) as served:
        shown = _median_ms([CONTROLLER, "--help"], rounds)
        listed = _median_ms([CONTROLLER, "--state", str(served.state_dir), "jobs"], rounds)
        mapped = "torch" in Path(f"/proc/{served.pid}/maps").read_text()
    loaded = subprocess.run([sys.executable, "-c", _LOADED], check=True, capture_output=True, text=True).stdout
    return [
        Figure("controller --help", shown, "ms", at_most=300, note=f"median of {rounds}"),
        Figure("controller jobs", listed, "ms", at_most=300, note=f"median of {rounds}, a controller is running"),
        Figure(
            "torch in controller serve", float(mapped or loaded.strip() == "True"), "", at_most=0, note="1 = loaded"
        ),
    ]


def _median_ms(arguments: list[str], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        taken.append((time.perf_counter() - begin) * 1e3)
    return median(taken)


if __name__ == "__main__":
    main("start", start)
