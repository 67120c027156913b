"""Builds the tree of a board: `jetson("orin-nx-16gb", "6.2")`, natively or as a container sees it.

Constructed from documented formats, not recorded from a board.
"""

from testing.boards.documented import BOARDS, COMBINATIONS, JETPACKS, BoardSpec, JetpackSpec
from testing.boards.nodes import GROUPS, device_nodes
from testing.boards.sensors import clocks, rails, thermal
from testing.boards.tree import SymbolicLink, Tree

_LIBRARY = b"\x7fELF constructed"
_TREE = "sys/firmware/devicetree/base/"


def jetson(board: str, jetpack: str, *, container: bool = False) -> Tree:
    """A healthy board. In a container: by `docker run --runtime nvidia`, with /sys/firmware masked as Docker does."""
    assert (board, jetpack) in COMBINATIONS, f"there is no JetPack {jetpack} for {board}"
    spec, software = BOARDS[board], JETPACKS[jetpack]
    tree = Tree().put(_kernel(spec, software)).put(_driver(software)).put(_nvpmodel(spec))
    tree.put(device_nodes(spec, software))
    tree.put(rails(spec)).put(thermal(spec, software)).put(clocks(spec, software))
    return _confined(tree, software) if container else tree.put(_native(spec, software))


def device_tree(spec: BoardSpec) -> dict[str, str]:
    """NUL-terminated and NUL-separated, as the kernel writes properties."""
    return {
        f"{_TREE}compatible": "".join(f"{word}\0" for word in spec.compatible),
        f"{_TREE}model": f"{spec.model}\0",
        f"{_TREE}serial-number": f"{spec.serial}\0",
    }


def host_bind(board: str) -> dict[str, str]:
    """What `-v /sys/firmware:/host/sys/firmware:ro` brings into a container."""
    return {f"host/{name}": content for name, content in device_tree(BOARDS[board]).items()}


def dpkg_status(packages: dict[str, str]) -> str:
    entry = "Package: {}\nStatus: install ok installed\nArchitecture: arm64\nVersion: {}\nDescription: constructed\n"
    return "\n".join(entry.format(name, version) for name, version in packages.items())


def host_packages(software: JetpackSpec) -> dict[str, str]:
    l4t = f"{software.l4t}-20250107174145"
    packages = {"bash": "5.1-6ubuntu1", "nvidia-l4t-core": l4t, "nvidia-l4t-cuda": l4t, "nvidia-l4t-nvpmodel": l4t}
    if software.dla_compiler:
        packages["nvidia-l4t-dla-compiler"] = l4t
    return {
        **packages,
        software.cudnn_package: f"{software.cudnn}-1",
        "python3-libnvinfer": f"{software.tensorrt}.1-1+cuda{software.cuda.rpartition('.')[0]}",
    }


def _kernel(spec: BoardSpec, software: JetpackSpec) -> dict[str, str | bytes | SymbolicLink | None]:
    cores = "".join(
        f"processor\t: {cpu}\nFeatures\t: fp asimd evtstrm aes\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n\n"
        for cpu in range(spec.cpus)
    )
    return {
        "proc/cpuinfo": cores,
        "proc/meminfo": f"MemTotal:  {spec.memory_kb} kB\nMemFree:  {spec.memory_kb // 2} kB\n"
        f"MemAvailable:  {spec.memory_kb * 3 // 4} kB\nSwapTotal:  {spec.memory_kb // 2} kB\n",
        "proc/swaps": "Filename\tType\t\tSize\tUsed\tPriority\n/dev/zram0\tpartition\t650000\t0\t5\n",
        "proc/self/cgroup": "0::/\n",
        "proc/sys/kernel/hostname": f"{spec.name}\n",
        "proc/sys/kernel/osrelease": f"{software.kernel}\n",
        "proc/sys/kernel/random/boot_id": "0f0e0d0c-0000-4000-8000-000000000001\n",
        "proc/device-tree": SymbolicLink("../sys/firmware/devicetree/base"),
        "etc/nv_tegra_release": f"{software.release_line}\n# KERNEL_VARIANT: oot\n",
        "run/systemd/timesync/synchronized": "",
    }


def _driver(software: JetpackSpec) -> dict[str, str | bytes | SymbolicLink | None]:
    """Libraries that begin like real ones."""
    libraries = ["libcuda.so.1"]
    if software.dla_compiler:
        libraries += ["libnvdla_compiler.so", "libnvdla_runtime.so"]
    return {f"{software.driver_folder}/{name}": _LIBRARY for name in libraries}


def _nvpmodel(spec: BoardSpec) -> dict[str, str | bytes | SymbolicLink | None]:
    modes = "".join(
        f"< POWER_MODEL ID={number} NAME={name} >\nCPU_ONLINE CORE_0 1\nGPU MAX_FREQ -1\n\n"
        for number, name in enumerate(spec.modes)
    )
    text = f"# constructed\n\n{modes}< PM_CONFIG DEFAULT={spec.default_mode} >\n"
    return {
        f"etc/nvpmodel/{spec.conf}": text,
        "etc/nvpmodel.conf": SymbolicLink(f"nvpmodel/{spec.conf}"),
        "var/lib/nvpmodel/status": f"pmode:{spec.default_mode:04d} fmode:quiet\n",
    }


def _native(spec: BoardSpec, software: JetpackSpec) -> dict[str, str | bytes | SymbolicLink | None]:
    release = f'PRETTY_NAME="{software.os_name}"\nNAME="Ubuntu"\n'
    boot = f"TNSPEC {spec.boot_spec}mmcblk0p1\nCOMPATIBLE_SPEC {spec.boot_spec}\nTEGRA_CHIPID 0x23\n"
    major, minor = software.cuda.split(".")[:2]
    return {
        **device_tree(spec),
        **{f"etc/nvidia-container-runtime/host-files-for-container.d/{name}": _csv(software) for name in software.csv},
        "etc/os-release": release,
        "etc/group": "".join(f"{name}:x:{number}:\n" for name, number in GROUPS.items()),
        "etc/nv_boot_control.conf": boot,
        "var/lib/dpkg/status": dpkg_status(host_packages(software)),
        "usr/local/cuda/version.json": f'{{"cuda": {{"name": "CUDA SDK", "version": "{software.cuda}"}}}}',
        f"usr/local/cuda/lib64/libcudart.so.{major}.{minor}.68": _LIBRARY,
        f"usr/lib/python{software.python}/dist-packages/tensorrt/__init__.py": "",
    }


def _csv(software: JetpackSpec) -> str:
    return f"dev, /dev/nvmap\nlib, /{software.driver_folder}/libnvdla_compiler.so\n"


def _confined(tree: Tree, software: JetpackSpec) -> Tree:
    """The image's own Debian list, an empty /sys/firmware, no nvpmodel: what docker run gives without more binds."""
    tree.drop("etc/nvpmodel", "var/lib/nvpmodel", "run/systemd", "sys/firmware")
    mount = (
        f"812 790 259:1 /{software.driver_folder}/libcuda.so.1 /{software.driver_folder}/libcuda.so.1 ro - ext4 x rw\n"
    )
    return tree.put(
        {
            ".dockerenv": "",
            "sys/firmware": None,
            "proc/self/mountinfo": mount,
            "etc/os-release": f'PRETTY_NAME="{software.os_name}"\n',
            "var/lib/dpkg/status": dpkg_status({"bash": "5.1", software.cudnn_package: f"{software.cudnn}-1"}),
            "usr/local/cuda/version.json": f'{{"cuda": {{"name": "CUDA SDK", "version": "{software.cuda}"}}}}',
        }
    )
