"""What of an agent's environment its children see: a list of what may pass, and nothing that looks like a secret.

A model's file is not trusted, and an engine is native code: what its process does not have, it cannot give away.
"""

from collections.abc import Mapping

# The folder that outlives attempts, where children keep what is true of the device beyond one of them; set by agents.
CACHE_VARIABLE = "JETFLEET_CACHE_DIR"
# Where programs, libraries and files are; what decides speed; what describes this board. docs/devices.md has the list.
PASSED = frozenset(
    (
        *("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV"),
        *("JETFLEET_THREADS", "JETFLEET_MEMORY_LIMIT_BYTES", "JETFLEET_MODULE", "JETFLEET_DLA_COMPILER"),
        *("JETFLEET_CALLABLES", CACHE_VARIABLE),
        "container",  # podman says so, and with a read-only root nothing else does
        *("NVIDIA_TF32_OVERRIDE", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
    )
)
PASSED_PREFIXES = ("CUDA_", "OMP_", "OPENBLAS_", "MKL_", "LC_")
_SECRET_WORDS = ("TOKEN", "SECRET", "PASS", "PWD", "CREDENTIAL", "KEY", "AUTH")


def child_env(env: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that children may see."""
    return {
        name: value
        for name, value in env.items()
        if (name in PASSED or name.startswith(PASSED_PREFIXES)) and not _looks_secret(name)
    }


def _looks_secret(name: str) -> bool:
    return any(word in name.upper() for word in _SECRET_WORDS)
