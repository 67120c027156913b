"""Options by who heeds them."""

import pytest

from jetfleet.options import build_options, run_options

OPTIONS = {
    "lowering": "flags",
    "workspace_mib": "256",
    "gpu_fallback": "off",
    "dla_managed_sram_kib": "512",
    "cuda_graph": "on",
    "wait": "spin",
    "zero_copy": "on",
    "inflight": "2",
}


@pytest.mark.parametrize(
    ("placement", "kept"),
    [("gpu", {"workspace_mib"}), ("dla", {"workspace_mib", "gpu_fallback", "dla_managed_sram_kib"})],
)
def test_a_builder_hears_what_it_heeds(placement, kept):
    assert set(build_options(OPTIONS, runtime="tensorrt", placement=placement)) == kept


def test_a_run_hears_all_but_how_its_engine_came_about():
    assert run_options(OPTIONS, runtime="tensorrt", placement="dla1") == {
        name: value for name, value in OPTIONS.items() if name != "lowering"
    }


def test_a_cpu_beside_a_gpu_hears_nothing_of_gpus():
    options = {"threads": "2", "wait": "spin", "cuda_graph": "on"}
    assert run_options(options, runtime="onnxruntime", placement="cpu") == {"threads": "2"}
    assert run_options(options, runtime="onnxruntime", placement="gpu") == options


def test_a_made_up_runtime_has_options_of_its_own():
    options = {"wait": "1", "lowering": "x"}
    assert build_options(options, runtime="simulated", placement="gpu") == options
    assert run_options(options, runtime="simulated", placement="cpu") == options
