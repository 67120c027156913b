"""What is written into the trees of each board and each JetPack.

Constructed from documented formats, not recorded: nothing in here was read from a real board, and figures such as a
rail's millivolts are made up. Names, paths, ids and rail labels are those of the documents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BoardSpec:
    """`modes` are names by id; `rails` maps a monitor's address to its labels, NC for a channel without a rail."""

    name: str
    compatible: Sequence[str]
    model: str
    soc: str
    serial: str
    memory_kb: int
    cpus: int
    modes: Sequence[str]
    default_mode: int
    conf: str
    rails: Mapping[str, Sequence[str]]
    boot_spec: str


@dataclass(frozen=True)
class JetpackSpec:
    """`extras` are debian packages with their versions beside L4T's own."""

    jetpack: str
    l4t: str
    release_line: str
    os_name: str
    kernel: str
    cuda: str
    cudnn_package: str
    cudnn: str
    tensorrt: str
    python: str
    driver_folder: str
    csv: Sequence[str]
    dla_compiler: bool


_SMALL = {"1-0040": ("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC")}
_NX_MODES = ("MAXN", "10W", "15W", "25W")

NANO = BoardSpec(
    "orin-nano-8gb",
    ("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"),
    "NVIDIA Jetson Orin Nano Developer Kit",
    "tegra234",
    "1421322000001",
    7_802_880,
    6,
    ("15W", "7W"),
    0,
    "nvpmodel_p3767_0003.conf",
    _SMALL,
    "3767-300-0005-N.1-1-1-jetson-orin-nano-devkit-",
)
NANO_SUPER = BoardSpec(
    "orin-nano-8gb-super",
    ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"),
    "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
    "tegra234",
    "1421322000002",
    7_802_880,
    6,
    ("15W", "25W", "MAXN_SUPER", "7W"),
    1,
    "nvpmodel_p3767_0003_super.conf",
    _SMALL,
    "3767-300-0005-N.1-1-1-jetson-orin-nano-devkit-super-",
)
NX16 = BoardSpec(
    "orin-nx-16gb",
    ("nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"),
    "NVIDIA Orin NX Developer Kit",
    "tegra234",
    "1421322000003",
    16_055_296,
    8,
    _NX_MODES,
    0,
    "nvpmodel_p3767_0000.conf",
    _SMALL,
    "3767-300-0000-M.3-1-1-jetson-orin-nano-devkit-",
)
AGX64 = BoardSpec(
    "agx-orin-64gb",
    ("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
    "NVIDIA Jetson AGX Orin Developer Kit",
    "tegra234",
    "1421322000004",
    64_349_184,
    12,
    ("MAXN", "MODE_15W", "MODE_30W", "MODE_50W"),
    2,
    "nvpmodel_p3701_0005.conf",
    {"1-0040": ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), "1-0041": ("NC", "VDDQ_VDD2_1V8AO", "NC")},
    "3701-300-0005-G.0-1-0-jetson-agx-orin-devkit-",
)
THOR = BoardSpec(
    "thor-t5000",
    ("nvidia,p4071-0000+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264"),
    "NVIDIA Jetson AGX Thor Developer Kit",
    "tegra264",
    "1421322000005",
    128_810_000,
    14,
    ("MAXN", "120W", "90W", "70W"),
    1,
    "nvpmodel_p3834_0008.conf",
    {"2-0040": ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")},
    "3834-000-0008-A.1-1-0-jetson-agx-thor-devkit-",
)
XAVIER_NX = BoardSpec(
    "xavier-nx-8gb",
    ("nvidia,p3509-0000+p3668-0000", "nvidia,p3668-0000", "nvidia,tegra194"),
    "NVIDIA Jetson Xavier NX Developer Kit",
    "tegra194",
    "1421322000006",
    7_844_864,
    6,
    (
        *("MODE_15W_2CORE", "MODE_15W_4CORE", "MODE_15W_6CORE", "MODE_10W_2CORE", "MODE_10W_4CORE"),
        *("MODE_10W_DESKTOP", "MODE_20W_2CORE", "MODE_20W_4CORE", "MODE_20W_6CORE"),
    ),
    2,
    "nvpmodel_p3668.conf",
    _SMALL,
    "3668-100-0000-H.0-1-2-jetson-xavier-nx-devkit-",
)

_JP5 = JetpackSpec(
    "5.1.2",
    "35.4.1",
    "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: Tue Aug  1 19:57:35 UTC 2023",
    "Ubuntu 20.04.6 LTS",
    "5.10.120-tegra",
    "11.4.19",
    "libcudnn8",
    "8.6.0.166",
    "8.5.2",
    "3.8",
    "usr/lib/aarch64-linux-gnu/tegra",
    ("l4t.csv",),
    True,
)
_JP62 = JetpackSpec(
    "6.2",
    "36.4.3",
    "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025",
    "Ubuntu 22.04.5 LTS",
    "5.15.148-tegra",
    "12.6.11",
    "libcudnn9-cuda-12",
    "9.3.0.75",
    "10.3.0",
    "3.10",
    "usr/lib/aarch64-linux-gnu/nvidia",
    ("devices.csv", "drivers.csv"),
    True,
)
_JP71 = JetpackSpec(
    "7.1",
    "38.4.0",
    "# R38 (release), REVISION: 4.0, GCID: 43443517, BOARD: generic, EABI: aarch64, DATE: Wed Dec 31 23:59:59 UTC 2025",
    "Ubuntu 24.04.3 LTS",
    "6.8.12-tegra",
    "13.0.0",
    "libcudnn9-cuda-13",
    "9.12.0.46",
    "10.13.3",
    "3.12",
    "usr/lib/aarch64-linux-gnu/nvidia",
    ("devices.csv", "drivers.csv"),
    False,
)
_JP72 = JetpackSpec(
    "7.2",
    "39.2.0",
    "# R39 (release), REVISION: 2.0, GCID: 45000000, BOARD: generic, EABI: aarch64, DATE: Mon Jun  1 00:00:00 UTC 2026",
    "Ubuntu 24.04.4 LTS",
    "6.8.12-tegra",
    "13.2.1",
    "libcudnn9-cuda-13",
    "9.20.0.46",
    "10.16.2",
    "3.12",
    "usr/lib/aarch64-linux-gnu/nvidia",
    ("devices.csv", "drivers.csv"),
    False,
)
BOARDS = {spec.name: spec for spec in (NANO, NANO_SUPER, NX16, AGX64, THOR, XAVIER_NX)}
JETPACKS = {"5": _JP5, "6.2": _JP62, "7.1": _JP71, "7.2": _JP72}
# Only what NVIDIA released: Xavier ends with JetPack 5, JetPack 7.1 is Thor's alone, the Super confs begin with 6.2.
COMBINATIONS = (
    *((board, "5") for board in ("orin-nano-8gb", "orin-nx-16gb", "agx-orin-64gb", "xavier-nx-8gb")),
    *((board, "6.2") for board in ("orin-nano-8gb", "orin-nano-8gb-super", "orin-nx-16gb", "agx-orin-64gb")),
    ("thor-t5000", "7.1"),
    *((board, "7.2") for board in ("orin-nano-8gb-super", "orin-nx-16gb", "agx-orin-64gb", "thor-t5000")),
)
