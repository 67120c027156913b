"""Stopping a library that works for minutes without coming back to Python.

A Python signal handler waits for the main thread to leave the library. The C-level one does not: it writes to a file
descriptor at once, which a thread of ours reads. So the library's next callback, from whichever thread, can say stop.
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def stop_on_sigterm(*, able: bool = True) -> Iterator[threading.Event]:
    """Sets the event on SIGTERM, and once the body has come back lets the signal have its way: the process ends by it.

    Where the body is not `able` to stop, the signal has its way at once. Outside the main thread, which alone may take
    signals, the event is never set.
    """
    stop = threading.Event()
    if not able or threading.current_thread() is not threading.main_thread():
        yield stop
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    watcher = threading.Thread(target=_watch, args=(read, stop), daemon=True)
    wakeup = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)  # the watcher hears of it
    watcher.start()
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.set_wakeup_fd(wakeup)
        os.close(write)
        watcher.join()
        os.close(read)
        if stop.is_set():
            _log.warning("stopped by SIGTERM")
            os.kill(os.getpid(), signal.SIGTERM)


def _watch(descriptor: int, stop: threading.Event) -> None:
    while numbers := os.read(descriptor, 64):
        if int(signal.SIGTERM) in numbers:
            stop.set()
