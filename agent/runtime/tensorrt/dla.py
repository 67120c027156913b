"""Which layers of a network a DLA takes, asked of TensorRT before the build, which may then be refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.runtime.base import BuildRefused
from agent.runtime.tensorrt.layers import dla_report
from jetfleet.errors import BadInput

if TYPE_CHECKING:
    import tensorrt as trt

_NAMED = 20  # layers in a refusal


@dataclass(frozen=True)
class LayerEligibility:
    """A layer of the network, TensorRT's word for its type, and whether it can run on a DLA as it is."""

    name: str
    type: str
    on_dla: bool


def refuse_without_cores(cores: int) -> None:
    if not cores:
        raise BadInput(
            "this board has no DLA",
            where="placement",
            expected="a board with one: Orin NX, AGX Orin (not Orin Nano, not Thor)",
            hint="placement: gpu",
        )


def eligibility(config: "trt.IBuilderConfig", network: "trt.INetworkDefinition") -> list[LayerEligibility]:
    """For the device, the precision and the shapes that the config has already. TensorRT logs why not, if it does."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return [LayerEligibility(layer.name, str(layer.type.name), bool(config.can_run_on_DLA(layer))) for layer in layers]


def refuse_partial(layers: Sequence[LayerEligibility], lines: Iterable[str]) -> None:
    """For `dla_require: full`. Raises BuildRefused with the layers that would run on the GPU, and why."""
    report = dla_report([(layer.name, layer.type, layer.on_dla) for layer in layers], [], lines)
    if not report.layers_on_gpu:
        return
    named = [f"{item.layer} ({item.type}): {item.reason}" for item in report.fallbacks]
    more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    raise BuildRefused(
        f"{report.layers_on_gpu} of {len(layers)} layers do not run on the DLA: {'; '.join(named[:_NAMED])}{more}",
        where="options.dla_require",
        expected="every layer on the DLA",
        hint="dla_require: partial, or change these layers",
    )
