"""The sysfs of a board's sensors: power rails, temperatures, throttle alerts and clocks, with the kernel's own links.

Constructed from documented formats, not recorded: every figure is made up.
"""

from testing.boards.documented import BoardSpec, JetpackSpec
from testing.boards.tree import SymbolicLink

Files = dict[str, str | bytes | SymbolicLink | None]

_I2C = "sys/devices/platform/bus@0/c240000.i2c/i2c-1"
_JP6_ZONES = ("cpu", "gpu", "cv0", "cv1", "cv2", "soc0", "soc1", "soc2", "tj")
_ALERTS = ("cpu", "gpu", "cv0", "cv1", "cv2", "soc0", "soc1", "soc2")


def rails(spec: BoardSpec) -> Files:
    """Each rail 5000 mV and 200 mA times its place, 1000, 2000 and 3000 mW; VDD_IN 6000 mW, Thor's VIN 45 W.

    A conversion of all channels takes 7 ms, four are averaged, and a step of the current is 8 mA.
    """
    files: Files = {"sys/bus/i2c/drivers/ina3221/uevent": ""}
    for index, (address, labels) in enumerate(spec.rails.items()):
        hwmon = f"{_I2C}/{address}/hwmon/hwmon{index + 1}"
        files[f"sys/bus/i2c/drivers/ina3221/{address}"] = SymbolicLink(f"../../../../devices/{_I2C[12:]}/{address}")
        files[f"sys/class/hwmon/hwmon{index + 1}"] = SymbolicLink(f"../../{hwmon[4:]}")
        files[f"{hwmon}/name"] = "ina3221\n"
        files[f"{hwmon}/update_interval"] = "28\n"
        files[f"{hwmon}/samples"] = "4\n"
        for channel, label in enumerate(labels, start=1):
            files[f"{hwmon}/in{channel}_label"] = f"{label}\n"
            files[f"{hwmon}/in{channel}_input"] = "5000\n"
            files[f"{hwmon}/curr{channel}_input"] = f"{1200 if label == 'VDD_IN' else 200 * channel}\n"
            files[f"{hwmon}/shunt{channel}_resistor"] = "5000\n"
            files[f"{hwmon}/curr{channel}_max"] = "32760\n"
            files[f"{hwmon}/curr{channel}_crit"] = "32760\n"
        files[f"{hwmon}/in7_label"] = "sum of shunt voltages\n"
        files[f"{hwmon}/in7_input"] = "80\n"
    if spec.soc == "tegra264":
        hwmon = f"{_I2C}/2-0044/hwmon/hwmon7"
        files["sys/bus/i2c/drivers/ina238/2-0044"] = SymbolicLink(f"../../../../devices/{_I2C[12:]}/2-0044")
        files[f"{hwmon}/name"] = "ina238\n"
        files[f"{hwmon}/power1_input"] = "45000000\n"
    return files


def thermal(spec: BoardSpec, software: JetpackSpec) -> Files:
    """Zones near 45 degrees, those of the vision cores powered off; nothing throttled; no over-current since boot."""
    if spec.soc == "tegra264":
        zones = ["cpu-thermal", "gpu-thermal", "soc012-thermal", "soc345-thermal", "tj-thermal"]
    elif software.l4t.startswith("35"):
        zones = ["CPU-therm", "GPU-therm", "AUX-therm", "tj-therm"]
    else:
        zones = [f"{name}-thermal" for name in _JP6_ZONES]
    files: Files = {}
    for index, name in enumerate(zones):
        files[f"sys/class/thermal/thermal_zone{index}/type"] = f"{name}\n"
        off = name.startswith("cv")
        files[f"sys/class/thermal/thermal_zone{index}/temp"] = "-256000\n" if off else f"{45000 + 250 * index}\n"
    kinds = ["pwm-fan", "cpufreq-cpu0", *(f"{name}-throttle-alert" for name in _ALERTS), "hot-surface-alert"]
    for index, kind in enumerate(kinds):
        files[f"sys/class/thermal/cooling_device{index}/type"] = f"{kind}\n"
        files[f"sys/class/thermal/cooling_device{index}/cur_state"] = "2\n" if kind == "pwm-fan" else "0\n"
    files["sys/class/hwmon/hwmon9/name"] = "soctherm_oc\n"
    for number in (1, 2, 3):
        files[f"sys/class/hwmon/hwmon9/oc{number}_event_cnt"] = "0\n"
        files[f"sys/class/hwmon/hwmon9/oc{number}_throt_en"] = "1\n"
    files["sys/class/hwmon/hwmon10/name"] = "pwmfan\n"
    files["sys/class/hwmon/hwmon10/pwm1"] = "120\n"
    return files


def clocks(spec: BoardSpec, software: JetpackSpec) -> Files:
    """Free to move: every minimum is below its maximum."""
    files: Files = {}
    for name, node in _gpus(spec, software).items():
        folder = f"sys/class/devfreq/{name}"
        files.update(_node_of(folder, node))
        files.update({f"{folder}/{key}_freq": f"{hz}\n" for key, hz in _GPU_HZ.items()})
        files[f"{folder}/governor"] = "nvhost_podgov\n"
        if spec.soc != "tegra264":
            files[f"{folder}/device/load"] = "35\n"
    files.update(_node_of("sys/class/devfreq/15340000.vic", "vic"))
    files["sys/class/devfreq/15340000.vic/cur_freq"] = "115200000\n"
    for cpu in range(spec.cpus):
        folder = f"sys/devices/system/cpu/cpu{cpu}"
        files[f"{folder}/online"] = "1\n"
        files.update({f"{folder}/cpufreq/scaling_{key}_freq": f"{khz}\n" for key, khz in _CPU_KHZ.items()})
        files[f"{folder}/cpufreq/scaling_governor"] = "schedutil\n"
    return files


def workstation_clocks(*, governor: str = "powersave") -> Files:
    """An x86 machine: two groups of CPUs that share a clock each, and no devfreq."""
    files: Files = {}
    for policy in (0, 1):
        folder = f"sys/devices/system/cpu/cpufreq/policy{policy}"
        files[f"{folder}/affected_cpus"] = f"{policy} {policy + 2}\n"
        files.update({f"{folder}/scaling_{key}_freq": f"{khz}\n" for key, khz in _X86_KHZ.items()})
        files[f"{folder}/scaling_governor"] = f"{governor}\n"
    return files


def emc(*, locked: bool, rate_hz: int = 2133000000) -> Files:
    """The firmware's folder of the memory's clock, as root sees it."""
    folder = "sys/kernel/debug/bpmp/debug/clk/emc"
    values = {"rate": rate_hz, "min_rate": 204000000, "max_rate": 3199000000, "mrq_rate_locked": int(locked)}
    return {f"{folder}/{name}": f"{value}\n" for name, value in values.items()}


_X86_KHZ = {"cur": 3400000, "min": 800000, "max": 4200000}
_GPU_HZ = {"cur": 306000000, "min": 306000000, "max": 1020000000}
_CPU_KHZ = {"cur": 729600, "min": 729600, "max": 1728000}


def _node_of(folder: str, node: str) -> Files:
    """As the kernel links them: below /sys/firmware, which a container does not see."""
    return {
        f"{folder}/device/of_node": SymbolicLink(f"../../../../firmware/devicetree/base/bus@0/{node}"),
        f"sys/firmware/devicetree/base/bus@0/{node}/name": f"{node}\0",
    }


def _gpus(spec: BoardSpec, software: JetpackSpec) -> dict[str, str]:
    """Folders of /sys/class/devfreq with the names of their device-tree nodes."""
    if spec.soc == "tegra264":
        return {"gpu-gpc-0": "pci", "gpu-nvd-0": "pci"}
    if spec.soc == "tegra194":
        return {"17000000.gv11b": "gv11b"}
    node = "ga10b" if software.l4t.startswith("35") else "gpu"
    return {f"17000000.{node}": node}
