"""The table of Jetson modules: what an id says of the hardware. What the table does not know stays unknown.

Sources: jetson-stats' table of module ids, meta-tegra's nvpmodel files, NVIDIA's jetson_benchmarks (DLA cores).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ANY_ID = re.compile(r"p\d{4}-\d{4}")
_ID = re.compile(r"p(?:2888|3668|3701|3767|3834)-\d{4}")
# Of a family that is not in the table, in `nvidia,p3768-0000+p3767-0005-super`: what follows the carrier board.
_ON_A_CARRIER = re.compile(r"\bp\d{4}-\d{4}\+(p\d{4}-\d{4})")
# `3767-300-0005-...` of /etc/nv_boot_control.conf: board, fab, board SKU.
_SPEC = re.compile(r"\b(\d{4})-[^-]*-(\d{4})\b")


@dataclass(frozen=True)
class Chip:
    """What every module of a generation shares; `gpu` as facts and people call it."""

    name: str
    soc: str
    gpu: str
    compute_capability: str


XAVIER = Chip("Xavier", "tegra194", "Xavier (gv11b)", "7.2")
ORIN = Chip("Orin", "tegra234", "Orin (ga10b)", "8.7")
THOR = Chip("Thor", "tegra264", "Thor (gb10b)", "11.0")
CHIPS = (XAVIER, ORIN, THOR)
AGX_ORIN = "p3701"  # how the ids of its modules begin


@dataclass(frozen=True)
class Module:
    """`sm_count` is of the whole GPU, unless a power mode turns some off; None where no source confirms it.

    `sku` is None where the id alone does not say which product it is.
    """

    product: str
    sku: str | None
    chip: Chip
    dla_cores: int
    sm_count: int | None = None


MODULES: Mapping[str, Module] = {
    "p3834-0008": Module("Jetson AGX Thor (T5000)", "thor-t5000", THOR, 0),
    "p3834-0000": Module("Jetson T4000", "thor-t4000", THOR, 0),
    # Sold with 32 and, as the early developer kit, with the whole GPU of the 64 GB one.
    "p3701-0000": Module("Jetson AGX Orin (developer kit)", None, ORIN, 2, 16),
    "p3701-0002": Module("IGX Orin", "igx-orin", ORIN, 2),
    "p3701-0004": Module("Jetson AGX Orin 32 GB", "agx-orin-32gb", ORIN, 2, 14),
    "p3701-0005": Module("Jetson AGX Orin 64 GB", "agx-orin-64gb", ORIN, 2, 16),
    "p3701-0008": Module("Jetson AGX Orin Industrial", "agx-orin-industrial", ORIN, 2),
    "p3767-0000": Module("Jetson Orin NX 16 GB", "orin-nx-16gb", ORIN, 2, 8),
    "p3767-0001": Module("Jetson Orin NX 8 GB", "orin-nx-8gb", ORIN, 1),
    "p3767-0003": Module("Jetson Orin Nano 8 GB", "orin-nano-8gb", ORIN, 0, 8),
    "p3767-0004": Module("Jetson Orin Nano 4 GB", "orin-nano-4gb", ORIN, 0),
    "p3767-0005": Module("Jetson Orin Nano 8 GB (developer kit)", "orin-nano-8gb", ORIN, 0, 8),
    "p3668-0000": Module("Jetson Xavier NX (developer kit)", "xavier-nx-8gb", XAVIER, 2),
    "p3668-0001": Module("Jetson Xavier NX 8 GB", "xavier-nx-8gb", XAVIER, 2),
    "p3668-0003": Module("Jetson Xavier NX 16 GB", "xavier-nx-16gb", XAVIER, 2),
    "p2888-0001": Module("Jetson AGX Xavier 16 GB", "agx-xavier-16gb", XAVIER, 2),
    "p2888-0003": Module("Jetson AGX Xavier 32 GB", "agx-xavier-32gb", XAVIER, 2),
    "p2888-0004": Module("Jetson AGX Xavier 32 GB", "agx-xavier-32gb", XAVIER, 2),
    "p2888-0005": Module("Jetson AGX Xavier 64 GB", "agx-xavier-64gb", XAVIER, 2),
    "p2888-0006": Module("Jetson AGX Xavier 8 GB", "agx-xavier-8gb", XAVIER, 2),
    "p2888-0008": Module("Jetson AGX Xavier Industrial", "agx-xavier-industrial", XAVIER, 2),
}


def module_id(text: str) -> str | None:
    """The module that a device tree's `compatible` names, also one that the table does not know."""
    if found := _ID.search(text):
        return found.group()
    unknown = _ON_A_CARRIER.search(text)
    return unknown.group(1) if unknown else None


def claimed_module(text: str) -> str | None:
    """The module that a person says it is: an id alone, which may be of a family that the table does not know."""
    text = text.strip()
    return text if _ANY_ID.fullmatch(text) else module_id(text)


def module_of_spec(text: str) -> str | None:
    """The module of a TNSPEC or COMPATIBLE_SPEC line of /etc/nv_boot_control.conf."""
    found = _SPEC.search(text)
    return f"p{found.group(1)}-{found.group(2)}" if found else None


def chip_of(words: tuple[str, ...]) -> Chip | None:
    """The generation that a device tree's `compatible` names, also of a module that the table does not know."""
    return next((chip for chip in CHIPS if f"nvidia,{chip.soc}" in words), None)
