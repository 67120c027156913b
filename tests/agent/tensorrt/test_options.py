"""Options on the wire become a typed whole, or bad input that says where and what was expected; memory limits. Pure."""

import pytest

from agent.runtime.tensorrt.config import safe_pools
from agent.runtime.tensorrt.options import Pools, pools_of, read_build_options
from jetfleet.errors import BadInput

MIB, GIB = 1 << 20, 1 << 30


def test_nothing_said_is_tensorrts_default_but_for_what_it_gets_wrong() -> None:
    read = read_build_options({}, "tensorrt")
    assert pools_of(read) == Pools()
    assert {name: value for name, value in read.values.items() if value is not None} == {
        "avg_timing_iterations": 8,
        "profiling_verbosity": "detailed",
        "hardware_compatibility": "none",
        **dict.fromkeys(("sparsity", "refit", "version_compatible"), "off"),
        **dict.fromkeys(("gpu_fallback", "timing_cache"), "on"),
        "dla_require": "partial",
    }


def test_every_option_is_read() -> None:
    read = read_build_options(
        {
            "builder_optimization_level": "0",
            "avg_timing_iterations": "1",
            "max_aux_streams": "2",
            "workspace_mib": "1024",
            "tactic_dram_mib": "512",
            "dla_managed_sram_kib": "1024",
            "dla_local_dram_mib": "256",
            "dla_global_dram_mib": "128",
            "sparsity": "on",
            "refit": "on",
            "version_compatible": "on",
            "gpu_fallback": "off",
            "dla_require": "full",
            "timing_cache": "cold",
            "profiling_verbosity": "layer_names_only",
            "hardware_compatibility": "ampere_plus",
        },
        "tensorrt",
    )
    assert pools_of(read) == Pools(GIB, 512 * MIB, MIB, 256 * MIB, 128 * MIB)
    numbers = ("builder_optimization_level", "avg_timing_iterations", "max_aux_streams")
    assert [read.number(name) for name in numbers] == [0, 1, 2]
    switches = ("sparsity", "refit", "version_compatible", "gpu_fallback")
    assert [read.is_on(name) for name in switches] == [True, True, True, False]
    words = ("dla_require", "timing_cache", "profiling_verbosity", "hardware_compatibility")
    assert [read.word(name) for name in words] == ["full", "cold", "layer_names_only", "ampere_plus"]


def test_the_workstation_sibling_has_fewer_options() -> None:
    read = read_build_options({"refit": "on"}, "tensorrt_rtx")
    assert (read.is_on("refit"), read.is_on("version_compatible"), read.word("hardware_compatibility")) == (
        True,
        False,
        "",
    )
    with pytest.raises(BadInput, match="tensorrt_rtx has no option gpu_fallback"):
        read_build_options({"gpu_fallback": "on"}, "tensorrt_rtx")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("builder_optimization_level", "6", "a whole number, 0 to 5"),
        ("builder_optimization_level", "-1", "a whole number, 0 to 5"),
        ("avg_timing_iterations", "0", "a whole number, 1 to 1000"),
        ("workspace_mib", "lots", "a whole number, 1 to 1048576"),
        ("workspace_mib", "1.5", "a whole number, 1 to 1048576"),
        ("max_aux_streams", "²", "a whole number, 0 to 64"),
        ("dla_managed_sram_kib", "3", "a power of two, 4 to 1048576"),
        ("dla_managed_sram_kib", "2", "a power of two, 4 to 1048576"),
        ("dla_local_dram_mib", "100", "a power of two, 1 to 1048576"),
        ("sparsity", "yes", "off, on"),
        ("dla_require", "some", "partial, full"),
        ("timing_cache", "off", "on, cold"),
        ("hardware_compatibility", "ADA", "none, ampere_plus, same_compute_capability"),
    ],
)
def test_a_value_that_cannot_be_used_is_bad_input(name: str, value: str, expected: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_build_options({name: value}, "tensorrt")
    assert repr(value) in refused.value.message or value in refused.value.message
    assert (refused.value.where, refused.value.expected) == (f"options.{name}", expected)


@pytest.mark.parametrize("name", ["cuda_graph", "threads", "lowering"])
def test_what_the_builder_does_not_read_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=f"tensorrt has no option {name}"):
        read_build_options({name: "on"}, "tensorrt")


@pytest.mark.parametrize(
    ("available", "workspace", "tactic_dram"),
    [(6 * GIB, 1536 * MIB, 3 * GIB), (48 * GIB, 12 * GIB, 24 * GIB), (100 * MIB, 64 * MIB, 64 * MIB)],
)
def test_shared_memory_is_not_all_taken(available: int, workspace: int, tactic_dram: int) -> None:
    assert safe_pools(Pools(), available) == Pools(workspace, tactic_dram)


def test_what_the_job_sets_is_left_alone() -> None:
    asked = Pools(workspace=5 * GIB, dla_local_dram=GIB)
    assert safe_pools(asked, 6 * GIB) == Pools(workspace=5 * GIB, tactic_dram=3 * GIB, dla_local_dram=GIB)
    assert safe_pools(asked, None) == asked
