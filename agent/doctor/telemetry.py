"""The check that lists what can be sampled on this machine while it measures, and of what cannot, why."""

from collections import Counter
from collections.abc import Sequence

from agent.doctor.check import CheckContext, CheckResult, skip, warn
from agent.telemetry.channels.channel import Absent, Channel
from agent.telemetry.channels.found import find_channels
from agent.telemetry.sampler import FIRST_GPU
from agent.telemetry.watch import SamplerProcess


def channels(context: CheckContext) -> CheckResult:
    """On this machine by the sampler itself: that it starts and answers is a part of what is checked."""
    if not context.live:
        found = find_channels(context.root)
        found.close()
        return _listed(found.channels, found.absent)
    sampler = SamplerProcess(pci_address=FIRST_GPU if context.kind == "gpu" else "")
    sampler.start()
    sampler.wait_ready()
    telemetry = sampler.stop()
    if telemetry.lost:
        fix = "`python -m agent.telemetry.sampler < /dev/null` shows what is wrong"
        return warn(
            "none", why=f"{telemetry.lost}: results will have no power, energy, clocks or temperatures", fix=fix
        )
    return _listed([series.channel for series in telemetry.series.values()], telemetry.absent)


def _listed(channels: Sequence[Channel], absent: Sequence[Absent]) -> CheckResult:
    missing = "; ".join(f"{item.name}: {item.why}" for item in absent)
    if not channels:
        return skip(f"nothing can be sampled here: {missing}")
    count = Counter(channel.name.partition(".")[0] for channel in channels)
    covers = next((f" ({channel.covers})" for channel in channels if channel.covers), "")
    parts = [f"{group} {number}{covers if group in ('power', 'energy') else ''}" for group, number in count.items()]
    return CheckResult("ok", ", ".join(parts), f"not here: {missing}" if missing else "")
