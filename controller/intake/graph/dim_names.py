"""What the names of dimensions say: those of one name have one size, and some names only say that nothing is known."""

from collections.abc import Iterable, Mapping

from controller.intake.graph.shapes import GraphInput
from controller.intake.graph.tensors import Array
from controller.intake.jobfile.dim_axes import AT
from controller.intake.jobfile.model_error import ModelError

# As exporters write it, and people who name what they leave open; without case, and without what stands around it.
_UNKNOWN = frozenset({"none", "null", "nil", "nan", "unk", "unknown", "undefined", "any", "dynamic", "variable"})


def is_unknown(name: str) -> bool:
    """Whether the name only says that the size is not known: `?`, empty, `None`, `-1`.

    Names that are counted, such as tf2onnx's `unk__6`, are names: where one stands twice, its sizes are equal.
    """
    plain = "".join(letter for letter in name if letter.isalnum())
    return not plain or plain.isdigit() or plain.lower() in _UNKNOWN


def refuse_two_sizes(graph: Iterable[GraphInput], inputs: Mapping[str, Array]) -> None:
    """Raises ModelError where dimensions of one name differ: a workstation may run that, and no device builds it."""
    sizes: dict[str, tuple[int, str]] = {}
    for item in graph:
        for index, (name, size) in enumerate(zip(item.dims, inputs[item.name].shape, strict=True)):
            if not isinstance(name, str):
                continue
            place = f"dimension {index} of input {item.name!r}"
            other, elsewhere = sizes.setdefault(name, (size, place))
            if other != size:
                raise ModelError(
                    f"the graph gives {elsewhere} and {place} one name ({name}), and they would be {other} and {size}",
                    steps=AT,
                    expected="one size for both",
                    hint="give both the same name in the shape, or export the model with a name for each",
                )
