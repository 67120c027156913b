"""Signals as an operator means them: the first lets the task in hand end, for a while; the second gives it back now."""

import asyncio
import logging
import signal
from collections.abc import Callable

from jetfleet.service_manager import ServiceManager

_log = logging.getLogger(__name__)


def drain_on_signals(
    draining: asyncio.Event, *, drain_s: float, return_work: Callable[[], None], service_manager: ServiceManager
) -> None:
    """SIGTERM and SIGINT set `draining`; `return_work` is called after `drain_s`, or at another signal."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if draining.is_set():
            return_work()
            return
        _log.info("draining")
        service_manager.stopping()
        draining.set()
        loop.call_later(drain_s, return_work)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
