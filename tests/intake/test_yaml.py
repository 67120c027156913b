"""The strict YAML loader: what it reads, what it refuses, and that it never fails in another way."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.intake.jobfile.yaml import MAX_BYTES, parse, read
from jetfleet.errors import BadInput

BOMB = "a: &a [x, x]\n" + "\n".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]" for i in range(9))


def test_scalars_follow_yaml_1_2() -> None:
    text = "[no, on, yes, 012, 0o12, 0x1F, 1e3, -1, 1_000, 12:30, ~, '1', true, .inf, 2001-01-01, '']"
    infinite = float("inf")
    expected = [
        "no",
        "on",
        "yes",
        12,
        10,
        31,
        1000.0,
        -1,
        "1_000",
        "12:30",
        None,
        "1",
        True,
        infinite,
        "2001-01-01",
        "",
    ]
    assert parse(text, "job.yaml").root.plain() == expected


def test_every_value_and_key_knows_its_place() -> None:
    document = parse("a:\n  - b: 1\n    'c': [x, y]\n", "job.yaml")
    assert document.where(("a",), key=True) == "job.yaml:1:1"
    assert document.where(("a", 0, "c"), key=True) == "job.yaml:3:5"
    assert document.where(("a", 0, "c", 1)) == "job.yaml:3:14"
    assert document.where(("a", 0, "missing", 7)) == "job.yaml:2:5"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a: &x 1", "1:4", "anchors are not allowed"),
        ("a: *x", "1:4", "aliases are not allowed (*x)"),
        (BOMB, "1:4", "anchors are not allowed"),
        ("a: !!python/object:os.system x", "1:4", "tags are not allowed"),
        ("a: !mine 1", "1:4", "tags are not allowed"),
        ("a: 1\nb: 2\na: 3", "3:1", "the key 'a' is given twice"),
        ("a:\n  1: x", "2:3", "the key '1' is not text"),
        ("? [a]\n: b", "1:3", "the key 'this' is not text"),
        ("<<: {a: 1}\n<<: {a: 1}", "2:1", "the key '<<' is given twice"),
        ("a\n---\nb", "2:1", "a second document starts here"),
        ("", "1:1", "the file is empty"),
        ("a: " + "[" * 100_000, "1:24", "nested too deeply"),
        ("a: " + "{b: " * 30 + "}" * 30, "1:81", "nested too deeply"),
        ("[" + "1," * 30_000 + "]", "1:40000", "too many values"),
        ("a: " + "9" * 5000, "1:4", "a number with too many digits"),
        ("a: b: c", "1:5", "not YAML: mapping values are not allowed here"),
        ("a: {b: uniform[0,1]}", "1:15", "not YAML: expected ',' or '}', but got '['"),
        ("a: \x01", "1:4", "a control character is not allowed in YAML"),
    ],
)
def test_refused(text: str, where: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text, "job.yaml")
    assert (caught.value.where, caught.value.message) == (f"job.yaml:{where}", message)


def test_an_escape_beyond_unicode_is_refused() -> None:
    with pytest.raises(BadInput, match="not YAML"):
        parse('a: "\\UFFFFFFFF"', "job.yaml")


def test_a_megabyte_is_refused_without_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("a: " + "x" * (1 << 20))
    monkeypatch.setattr("controller.intake.jobfile.yaml.parse", lambda text, name: pytest.fail("it was parsed"))
    with pytest.raises(BadInput, match="too large") as caught:
        read(path)
    assert caught.value.expected == f"at most {MAX_BYTES >> 10} KiB of YAML"


def test_other_encodings_are_refused_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(b"a: 1\nb: \xff\xfe")
    with pytest.raises(BadInput, match="byte 8 is not UTF-8") as caught:
        read(path)
    assert caught.value.where == f"{path}:2:4"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read(tmp_path / "job.yaml")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="ab:-[]{}?!&*|>'\"#%@,\n\t 01~.\\Ux<\0")))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadInput):
        parse(text, "job.yaml")
