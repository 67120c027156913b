"""How a board may be set while a task is measured: the names of the settings, and what each may be.

A setting that is absent is left as the board has it.
"""

POWER_MODE, CLOCKS = "power_mode", "clocks"
SETTINGS = (POWER_MODE, CLOCKS)
LOCKED = "locked"
AS_IS = "as-is"  # said of clocks that are left alone, beside others that are locked

# Kinds of clocks that may be locked.
CPU, GPU, EMC = "cpu", "gpu", "emc"
