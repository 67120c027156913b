"""The made-up TensorRT of the runtime's tests against the released bindings: it has nothing that they lack.

A fake that agrees with a mistake of ours would prove the mistake. So whatever the fake offers in public (module,
classes, methods with their arguments, attributes, enumerations, the callbacks that it calls) is looked up in the
bindings' own surface of the same line.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.agent.tensorrt import fake, fake_cache, fake_runtime
from tests.bindings.check import CALLBACKS
from tests.bindings.conftest import HERE

pytestmark = pytest.mark.bindings

# Each fake class, and the class of the bindings that it stands for.
STANDS_FOR: dict[type, str] = {
    fake.FakeTensor: "ITensor",
    fake.FakeLayer: "ILayer",
    fake.FakeNetwork: "INetworkDefinition",
    fake.FakeProfile: "IOptimizationProfile",
    fake.FakeConfig: "IBuilderConfig",
    fake.FakeBuilder: "Builder",
    fake.FakeParser: "OnnxParser",
    fake_cache.FakeCache: "ITimingCache",
    fake_cache.FakeCacheWithKeys: "ITimingCache",
    fake_runtime.FakeRuntime: "Runtime",
    fake_runtime.FakeEngine: "ICudaEngine",
    fake_runtime.FakeEngine86: "ICudaEngine",
    fake_runtime.FakeInspector: "EngineInspector",
    fake_runtime.FakeContext: "IExecutionContext",
}
# What tests read of a fake, and the runtime never does.
OWN = {"board", "cache", "shapes", "beside_a_builder", "version", "keys"}
# Attributes through which the fake calls back.
CALLED = {
    "error_recorder": "IErrorRecorder",
    "monitor": "IProgressMonitor",
    "calibrator": "IInt8EntropyCalibrator2",
    "profiler": "IProfiler",
    "_logger": "ILogger",
}
# Which classes and names only some versions of the fake give out.
SINCE = {fake_cache.FakeCacheWithKeys: (10, 13), fake_runtime.FakeEngine: (10, 1)}
UNTIL = {fake_runtime.FakeEngine86: (10, 1)}
OLD_NAMES = {"set_calibration_profile": (11,)}  # asserted by the fake itself


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")[:3]))


def given_out(version: tuple[int, ...]) -> Iterator[tuple[type, str]]:
    for kind, owner in STANDS_FOR.items():
        if SINCE.get(kind, (0,)) <= version < UNTIL.get(kind, (99,)):
            yield kind, owner


def public(kind: type) -> set[str]:
    """Methods and class attributes, and what __init__ sets on self."""
    names = {name for base in kind.__mro__[:-1] for name in vars(base) if not name.startswith("_")}
    source = ast.parse(Path(inspect.getsourcefile(kind) or "").read_text())
    for node in ast.walk(source):
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            names |= {item.attr for item in ast.walk(node) if _set_on_self(item) and not item.attr.startswith("_")}
    return names - OWN


def _set_on_self(node: ast.AST) -> Any:
    stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    return stored and isinstance(node.value, ast.Name) and node.value.id == "self"


@pytest.mark.parametrize("version", HERE)
def test_the_module_and_its_enumerations_have_no_other_names(
    described: dict[str, Mapping[str, Any]], version: str
) -> None:
    surface = described[version]["surface"]
    names = fake.FakeTensorRt(fake.Board(version=number(version)))._names(number(version))
    assert [name for name in names if name not in surface[""]] == []
    members = {name: vars(value) for name, value in names.items() if isinstance(value, SimpleNamespace)}
    assert len(members) > 8
    assert [f"{name}.{item}" for name, items in members.items() for item in items if item not in surface[name]] == []
    assert [name for name in vars(fake.SEVERITIES) if name not in surface["ILogger.Severity"]] == []


@pytest.mark.parametrize("version", HERE)
def test_no_class_has_a_method_or_attribute_that_the_bindings_lack(
    described: dict[str, Mapping[str, Any]], version: str
) -> None:
    surface, here = described[version]["surface"], number(version)
    made_up = [
        f"{kind.__name__}.{name} of {owner}"
        for kind, owner in given_out(here)
        for name in public(kind)
        if name not in surface[owner] and here < OLD_NAMES.get(name, (99,))
    ]
    assert made_up == []


@pytest.mark.parametrize("version", HERE)
def test_the_config_takes_no_attribute_that_the_bindings_lack(
    described: dict[str, Mapping[str, Any]], version: str
) -> None:
    """Of every attribute of any version's config: what the fake takes, the bindings have."""
    trt = fake.FakeTensorRt(fake.Board(version=number(version)))
    every = {name for item in described.values() for name in item["surface"]["IBuilderConfig"] if name[:1] != "_"}
    taken = []
    for name in sorted(every | {"no_such_name", *fake.FakeConfig._ALWAYS}):
        try:
            setattr(fake.FakeConfig(trt), name, 1)
        except AttributeError:
            continue
        taken.append(name)
    assert "avg_timing_iterations" in taken
    assert [
        name for name in taken if name not in described[version]["surface"]["IBuilderConfig"] and name not in OWN
    ] == []


@pytest.mark.parametrize("version", HERE)
def test_every_method_takes_as_many_arguments_as_the_bindings(
    described: dict[str, Mapping[str, Any]], version: str
) -> None:
    counts = described[version]["arguments"]
    wrong, compared = [], 0
    for kind, owner in given_out(number(version)):
        for name in public(kind) & set(counts[owner]):
            if not inspect.isfunction(method := getattr(kind, name, None)):
                continue
            fewest, most = counts[owner][name]
            compared += 1
            if not fewest <= len(inspect.signature(method).parameters) - 1 <= most:
                wrong.append(f"{kind.__name__}.{name} of {owner}: {fewest} to {most}")
    assert compared > 20
    assert wrong == []


def test_the_fake_calls_back_by_the_names_that_the_bindings_look_up() -> None:
    wrong, seen = [], set()
    for module in (fake, fake_runtime):
        for node in ast.walk(ast.parse(Path(inspect.getsourcefile(module) or "").read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            holder = node.func.value
            name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
            if interface := CALLED.get(name):
                seen.add(interface)
                wrong += [] if node.func.attr in CALLBACKS[interface] else [f"{interface}.{node.func.attr}"]
    assert wrong == []
    assert seen == set(CALLED.values())


def test_every_fake_class_is_held_against_one_of_the_bindings() -> None:
    classes = {
        kind
        for module in (fake, fake_cache, fake_runtime)
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and name.startswith("Fake")
    }
    assert classes - set(STANDS_FOR) == {fake.FakeTensorRt}
