"""What dpkg says is installed, here and, where its list is bound under /host, on the host."""

from pathlib import Path

from agent.device.files import HOST

_STATUS = "var/lib/dpkg/status"


def version_of(root: Path, *names: str) -> str | None:
    """The full version of the first of these packages that is installed; here before on the host."""
    for place in (root, root / HOST):
        versions = installed(place)
        if found := next((versions[name] for name in names if name in versions), None):
            return found
    return None


def installed(root: Path, prefix: str = "") -> dict[str, str]:
    """Installed packages whose name begins so, with their versions. A removed one that left files behind is not."""
    found: dict[str, str] = {}
    name, status = "", ""
    try:
        with (root / _STATUS).open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, value = line.partition(": ")
                if key == "Package":
                    name, status = value.strip(), ""
                elif key == "Status":
                    status = value.strip()
                elif key == "Version" and name.startswith(prefix) and status.endswith(" installed"):
                    found[name] = value.strip()
    except OSError:
        return {}
    return found
