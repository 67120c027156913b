"""Which machine this is: its boot, its serial number, and the hardware that only one benchmark at a time may use."""

from pathlib import Path

from agent.device.files import text_of

# Firmware that nobody filled in says one of these.
_PLACEHOLDERS = frozenset(
    {"", "0", "none", "default string", "not specified", "not applicable", "system serial number", "unknown"}
)
_SERIALS = (
    "proc/device-tree/serial-number",
    "host/sys/firmware/devicetree/base/serial-number",  # bound, because Docker masks /sys/firmware
    "sys/class/dmi/id/product_serial",
    "sys/class/dmi/id/board_serial",
    "sys/class/dmi/id/product_uuid",
)


def boot_id(root: Path = Path("/")) -> str:
    """Random, new at every boot, the same in every container of a host; empty if unreadable."""
    return text_of(root / "proc/sys/kernel/random/boot_id") or ""


def hardware_serial(root: Path = Path("/")) -> str:
    """The board's serial number; empty where there is none, or only root may read it."""
    for path in _SERIALS:
        serial = text_of(root / path)
        if serial and serial.lower() not in _PLACEHOLDERS and "o.e.m." not in serial.lower():
            return serial
    return ""


def bench_domain(root: Path = Path("/"), *, accelerator: str = "cpu") -> str:
    """What two agents on one host share: the host's boot and the accelerator, "cpu" or a GPU's UUID.

    Without a boot id, the host's name has to do.
    """
    host = boot_id(root) or text_of(root / "proc/sys/kernel/hostname") or "host"
    return f"{host}/{accelerator}"


def gpu_uuids(root: Path = Path("/")) -> list[str]:
    """NVIDIA's discrete GPUs as the driver lists them; empty on a Jetson, whose GPU has no entry there."""
    found = []
    for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        for line in (text_of(path) or "").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "GPU UUID" and "?" not in value:
                found.append(value.strip())
    return found
