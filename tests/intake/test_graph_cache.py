"""The folder of exports: made once, whole or not at all, and not believed when damaged."""

from pathlib import Path

import pytest

from controller.intake import graph_cache


def make(folder: Path) -> None:
    (folder / "model.onnx").write_text("model")


def test_made_once(tmp_path: Path) -> None:
    folder, hit = graph_cache.fetch(tmp_path / "cache", "a" * 64, make)
    assert (folder.name, hit, (folder / "model.onnx").read_text()) == ("a" * 64, False, "model")
    assert graph_cache.fetch(tmp_path / "cache", "a" * 64, lambda _: pytest.fail("made twice")) == (folder, True)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        make(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        graph_cache.fetch(tmp_path, "a" * 64, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_entry_is_made_again(tmp_path: Path) -> None:
    folder, _ = graph_cache.fetch(tmp_path, "a" * 64, make)
    for damage in ("model.onnx", "files.json"):
        (folder / damage).write_text("damaged")
        assert graph_cache.fetch(tmp_path, "a" * 64, make) == (folder, False)
        assert (folder / "model.onnx").read_text() == "model"
    assert [path.name for path in tmp_path.iterdir()] == ["a" * 64]


def test_somebody_faster_wins(tmp_path: Path) -> None:
    def slow(folder: Path) -> None:
        graph_cache.fetch(tmp_path, "a" * 64, make)
        (folder / "model.onnx").write_text("mine")

    folder, _ = graph_cache.fetch(tmp_path, "a" * 64, slow)
    assert (folder / "model.onnx").read_text() == "model"


def test_keys_do_not_depend_on_order() -> None:
    assert graph_cache.key_of({"a": 1, "b": [2]}) == graph_cache.key_of({"b": [2], "a": 1})
    assert graph_cache.key_of({"a": 1}) != graph_cache.key_of({"a": 2})
