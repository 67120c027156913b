"""Waiting for a moment of the host's steady clock, to some microseconds."""

import time

clock_ns = time.perf_counter_ns

# A sleeping thread wakes up late: by the kernel's timer slack (50 us) and what the scheduler takes. So it is to wake up
# so long before its moment, and looks at the clock from then on. That keeps a CPU busy, and awake, for as long at each
# wait; what wakes up later all the same is seen by whoever compares the clock with the moment.
SPIN_NS = 200_000


def wait_until(at_ns: int) -> None:
    """Returns at that time by `clock_ns`, or at once if it has passed."""
    left_ns = at_ns - clock_ns()
    if left_ns > SPIN_NS:
        time.sleep((left_ns - SPIN_NS) / 1e9)
    while clock_ns() < at_ns:
        pass
