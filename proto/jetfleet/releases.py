"""Which software a Jetson's L4T release brings: JetPack, CUDA, TensorRT and NVIDIA's images for it. One table. Pure.

Sources: NVIDIA's release notes, jetson-stats' table of releases, meta-tegra's branches, tags in public Dockerfiles.
"""

import re
from dataclasses import dataclass

_L4T = re.compile(r"\d+\.\d+\.\d+")
_PYTHONS = {35: "3.8", 36: "3.10", 38: "3.12", 39: "3.12"}
NVIDIA_REGISTRY = "nvcr.io/nvidia"
_JP5_IMAGES = ("l4t-jetpack:r35.4.1", "l4t-tensorrt:r8.5.2-runtime")
_JP6_IMAGES = ("l4t-jetpack:r36.4.0", "l4t-tensorrt:r10.3.0-runtime")
_THOR_IMAGES = ("tensorrt:25.08-py3",)
_SBSA_IMAGES = ("tensorrt:26.05-py3", "tensorrt:26.04-py3", "tensorrt:26.03-py3")


@dataclass(frozen=True)
class SoftwareRelease:
    """`tensorrt` is JetPack's own; `images`, of nvcr.io/nvidia, run on this L4T, and the first one is the fullest.

    `preview`: an early access or developer preview of its JetPack. Empty text and no images: not known.
    """

    l4t: str
    jetpack: str
    cuda: str
    tensorrt: str
    images: tuple[str, ...] = ()
    preview: bool = False

    @property
    def build_image(self) -> str:
        """The image with nvcc, on which what has no wheels is compiled; empty where no image is known."""
        return self.images[0] if self.images else ""

    @property
    def base_image(self) -> str:
        """The one that an agent runs on: TensorRT's libraries without the compilers, where there is such a one."""
        return next((name for name in self.images if name.endswith("-runtime")), self.build_image)

    @property
    def python(self) -> str:
        """Of the Ubuntu that its images are made of."""
        return _PYTHONS[l4t_number(self.l4t)[0]]


_TABLE = (
    SoftwareRelease("35.1.0", "5.0.2", "11.4", "8.4.1", ("l4t-jetpack:r35.1.0", "l4t-tensorrt:r8.4.1-runtime")),
    SoftwareRelease("35.2.1", "5.1", "11.4", "8.5.2", ("l4t-jetpack:r35.2.1", "l4t-tensorrt:r8.5.2-runtime")),
    SoftwareRelease("35.3.1", "5.1.1", "11.4", "8.5.2", ("l4t-jetpack:r35.3.1", "l4t-tensorrt:r8.5.2-runtime")),
    SoftwareRelease("35.4.1", "5.1.2", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease("35.5.0", "5.1.3", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease("35.6.0", "5.1.4", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease("35.6.1", "5.1.5", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease("35.6.2", "5.1.5", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease("35.6.3", "5.1.5", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease("35.6.4", "5.1.6", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease("35.6.5", "5.1.7", "11.4", "8.5.2", _JP5_IMAGES),
    SoftwareRelease(
        "36.2.0", "6.0", "12.2", "8.6.2", ("l4t-jetpack:r36.2.0", "l4t-tensorrt:r8.6.2-runtime"), preview=True
    ),
    SoftwareRelease("36.3.0", "6.0", "12.2", "8.6.2", ("l4t-jetpack:r36.3.0", "l4t-tensorrt:r8.6.2-runtime")),
    SoftwareRelease("36.4.0", "6.1", "12.6", "10.3.0", _JP6_IMAGES),
    SoftwareRelease("36.4.2", "6.1", "12.6", "10.3.0", _JP6_IMAGES),
    SoftwareRelease("36.4.3", "6.2", "12.6", "10.3.0.30", _JP6_IMAGES),
    SoftwareRelease("36.4.4", "6.2.1", "12.6", "10.3.0.30", _JP6_IMAGES),
    SoftwareRelease("36.4.7", "6.2.1", "12.6", "10.3.0.30", _JP6_IMAGES),
    SoftwareRelease("36.5.0", "6.2.2", "12.6", "10.3.0.30", _JP6_IMAGES),
    SoftwareRelease("36.5.2", "6.2.3", "12.6.68", "10.3.0.30", _JP6_IMAGES),
    SoftwareRelease("38.2.0", "7.0", "13.0", "10.13.3.9", _THOR_IMAGES),
    SoftwareRelease("38.2.1", "7.0", "13.0", "10.13.3.9", _THOR_IMAGES),
    SoftwareRelease("38.2.2", "7.0", "13.0", "10.13.3.9", _THOR_IMAGES),
    SoftwareRelease("38.4.0", "7.1", "13.0", "10.13.3.9", _THOR_IMAGES),
    SoftwareRelease("39.0.0", "7.2", "", "", preview=True),
    SoftwareRelease("39.2.0", "7.2", "13.2", "10.16.2", _SBSA_IMAGES),
    SoftwareRelease("39.2.1", "7.2.1", "13.2.2", "10.16.2", _SBSA_IMAGES),
    # The first one that TensorRT 11.4.1 is released for; no tag of an image with it is known.
    SoftwareRelease("39.2.2", "7.2.2", "", "11.4.1"),
)
RELEASES = {release.l4t: release for release in _TABLE}


# Both engines take it for themselves: a bare name that is missing would be looked for in a public registry.
LOCAL = "localhost"


def place_of(l4t: str | None) -> SoftwareRelease | None:
    """The release itself, or for one that is not listed the newest listed one before it of its line (36, 39, ...)."""
    if l4t is None or _L4T.fullmatch(l4t) is None:
        return None
    number = l4t_number(l4t)
    before = [item for item in _TABLE if number[0] == l4t_number(item.l4t)[0] and l4t_number(item.l4t) <= number]
    return before[-1] if before else None


def jetpack_of(l4t: str | None) -> str | None:
    """The JetPack that an L4T release came with.

    One that is not listed takes the place of the one before it in its line, and says so: `6.2.3+l4t.36.5.9` lies in
    `>=6.2.3`, and is not equal to 6.2.3.
    """
    place = place_of(l4t)
    if place is None:
        return None
    return place.jetpack if place.l4t == l4t else f"{place.jetpack}+l4t.{l4t}"


def agent_image(version: str, l4t: str | None) -> str:
    """What an agent's image is called: `controller image` makes it, a board's unit looks for it. None: no Jetson."""
    return f"{LOCAL}/jetfleet-agent:{version}-{f'l4t{l4t}' if l4t else 'cpu'}"


def l4t_number(text: str) -> tuple[int, ...]:
    """`36.4.3` for comparing; empty for what is not a release."""
    return tuple(map(int, text.split("."))) if _L4T.fullmatch(text) else ()
