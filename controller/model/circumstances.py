"""The facts that decide what a number means: what a board is, how it is set, and how it was timed."""

from jetfleet.board_settings import POWER_MODE
from jetfleet.circumstances import CLOCKS, MANNER

# What a board is.
HARDWARE = ("arch", "module", "sku", "cpu_model", "cpu_count", "gpu", "compute_capability", "sm_count", "dla_cores")
# How it is set and what it runs: the names of facts that move a latency on unchanged hardware.
SETTINGS = (POWER_MODE, *(item.name for item in CLOCKS))  # what a variant's settings move
CIRCUMSTANCES = (*SETTINGS, "l4t", "jetpack", "cuda", "dla_compiler")
# Chosen for the loop that timed it.
CHOSEN = tuple(item.name for item in MANNER)
