"""What each runtime may be told in job.yaml, as a schema made from the declaration of all options.

A default that is written out is as good as none, so that two job files that mean the same share their engines.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema, create_model
from pydantic_core import CoreSchema

from controller.intake.jobfile.strict import Strict, problem
from jetfleet.option_kinds import Choice, Number, Option
from jetfleet.options import ONNXRUNTIME, RTX, TENSORRT, options_of


def _switch(value: object) -> object:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def _text_of(value: object) -> object:
    """A made-up runtime's options are text; numbers and flags may be written without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _power_of_two(number: int) -> int:
    if number & (number - 1):
        raise problem(f"{number} is not a valid size for a DLA's memory", expected="a power of two")
    return number


Switch: TypeAlias = Annotated[
    Literal["on", "off"], BeforeValidator(_switch), WithJsonSchema({"enum": ["on", "off", True, False]})
]
Sizes: TypeAlias = Annotated[list[Annotated[int, Field(ge=1, le=1 << 31)]], Field(max_length=16)]


class Range(Strict):
    """Shapes of an input that the engine must take; it is tuned for `opt`."""

    min: Sizes
    opt: Sizes
    max: Sizes


class RuntimeOptions(Strict):
    """The options of one runtime; `text` are those that are not as by default."""

    def text(self) -> dict[str, str]:
        values = self.model_dump(exclude_defaults=True, exclude={"profile"})
        return {name: str(value) for name, value in values.items()}

    def ranges(self) -> dict[str, Range]:
        """The shapes of its inputs; none where the runtime takes none."""
        return {}


class _WithProfile(RuntimeOptions):
    profile: dict[str, Range] = Field(
        default_factory=dict, description="optimisation profile, by input; without one an engine takes one shape"
    )

    def ranges(self) -> dict[str, Range]:
        return self.profile


def _word_of(option: Choice) -> Any:
    """One of its words; `true` and `false` where it can be on or off."""
    if option.is_switch:
        return Switch
    kind = cast(Any, Literal)[option.choices]
    if not {"on", "off"} <= set(option.choices):
        return kind
    schema = WithJsonSchema({"enum": [*option.choices, True, False]})
    return Annotated[kind, BeforeValidator(_switch), schema]


def _type_of(option: Option) -> Any:
    if isinstance(option, Choice):
        kind = _word_of(option)
    elif isinstance(option, Number):
        kind = Annotated[int, Field(ge=option.least, le=option.most)]
        if option.power_of_two:
            kind = Annotated[kind, AfterValidator(_power_of_two)]
    else:
        raise TypeError(f"{option.name} is of a kind that job.yaml has no schema for")
    return kind if option.default is not None else cast(Any, Optional)[kind]


def _field_of(option: Option) -> tuple[Any, Any]:
    note = f"; default: {option.default_note}" if option.default_note else ""
    return _type_of(option), Field(default=option.default, description=option.help + note)


def _model_of(runtime: str, name: str, base: type[RuntimeOptions], about: str) -> type[RuntimeOptions]:
    fields: dict[str, Any] = {option.name: _field_of(option) for option in options_of(runtime)}
    return create_model(name, __base__=base, __doc__=about, **fields)


MODELS = {
    ONNXRUNTIME: _model_of(
        ONNXRUNTIME, "OnnxRuntime", RuntimeOptions, "ONNX Runtime, on a CPU or by its CUDA provider."
    ),
    TENSORRT: _model_of(TENSORRT, "TensorRt", _WithProfile, "TensorRT on a Jetson or another NVIDIA GPU."),
    RTX: _model_of(RTX, "TensorRtRtx", _WithProfile, "TensorRT for RTX, on desktop GPUs."),
}


@dataclass(frozen=True)
class _Declared:
    """A field's schema is the model of its runtime, which is made from the declaration."""

    runtime: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(MODELS[self.runtime])


class Options(Strict):
    """What a runtime is told, by runtime; it applies to all variants of that runtime."""

    onnxruntime: Annotated[RuntimeOptions, _Declared(ONNXRUNTIME)] = MODELS[ONNXRUNTIME]()
    tensorrt: Annotated[RuntimeOptions, _Declared(TENSORRT)] = MODELS[TENSORRT]()
    tensorrt_rtx: Annotated[RuntimeOptions, _Declared(RTX)] = MODELS[RTX]()
    simulated: dict[str, Annotated[str, BeforeValidator(_text_of)]] = Field(default_factory=dict)

    def profile(self, runtime: str) -> dict[str, Range]:
        """The ranges of a runtime's inputs; none where it takes none."""
        found = getattr(self, runtime)
        return found.ranges() if isinstance(found, RuntimeOptions) else {}

    def text(self, runtime: str) -> dict[str, str]:
        """The options of a runtime as its variants carry them: what is not as by default; shapes are not options."""
        found = getattr(self, runtime)
        return found.text() if isinstance(found, RuntimeOptions) else dict(found)
