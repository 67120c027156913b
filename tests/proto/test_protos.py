"""The contract's own rules: fresh generated code, zero means unspecified, nothing without a word."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import EnumDescriptor

from jetfleet.v1 import access_pb2, blobs_pb2, control_pb2, enrolment_pb2, error_pb2, fleet_pb2, task_pb2

ROOT = Path(__file__).resolve().parents[2]
PROTOS = sorted((ROOT / "proto/jetfleet/v1").glob("*.proto"))
FILES = [
    module.DESCRIPTOR for module in (access_pb2, blobs_pb2, control_pb2, enrolment_pb2, error_pb2, fleet_pb2, task_pb2)
]


def test_every_proto_is_looked_at():
    assert {item.name for item in FILES} == {f"jetfleet/v1/{path.name}" for path in PROTOS}
    assert all(item.package == "jetfleet.v1" for item in FILES)
    assert descriptor_pool.Default().FindServiceByName("jetfleet.v1.Fleet")


def enums():
    found: list[EnumDescriptor] = []
    for item in FILES:
        found.extend(item.enum_types_by_name.values())
        queue = list(item.message_types_by_name.values())
        while queue:
            message = queue.pop()
            found.extend(message.enum_types)
            queue.extend(message.nested_types)
    return found


@pytest.mark.parametrize("enum", enums(), ids=lambda enum: enum.full_name)
def test_zero_is_unspecified_and_values_carry_the_enums_name(enum):
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
    assert enum.values_by_number[0].name == f"{prefix}UNSPECIFIED"
    assert all(value.name.startswith(prefix) for value in enum.values)
    assert len(enum.values) > 1


def test_enums_were_found_in_messages_too():
    names = {enum.full_name.removeprefix("jetfleet.v1.") for enum in enums()}
    assert {"Precision", "FailureKind", "RenewResponse.Directive", "Condition.Op"} <= names


DECLARATION = re.compile(r"^\s*(message|enum|rpc)\s+(\w+)")


def undocumented(path):
    """Declarations without a comment above; an rpc tells of its messages, and a file of its service."""
    lines = path.read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        declared = DECLARATION.match(line)
        if declared is None or (line.startswith("  ") and declared[1] != "rpc"):
            continue
        told_by_its_rpc = declared[1] == "message" and declared[2].endswith(("Request", "Response"))
        if not told_by_its_rpc and "//" not in above:
            yield f"{path.name}: {declared[1]} {declared[2]}"


def test_every_call_enum_and_message_has_a_comment():
    assert [item for path in PROTOS for item in undocumented(path)] == []


@pytest.mark.parametrize("path", PROTOS, ids=lambda path: path.name)
def test_every_file_says_what_it_is_for(path):
    assert path.read_text().startswith("// ")


def test_a_missing_comment_would_be_found(tmp_path):
    bare = tmp_path / "bare.proto"
    bare.write_text(
        'syntax = "proto3";\n\nmessage Bare {\n  enum In { A = 0; }\n}\n\nservice S {\n\n  rpc C(X) returns (Y);\n}\n'
    )
    assert list(undocumented(bare)) == ["bare.proto: message Bare", "bare.proto: rpc C"]


def test_the_committed_code_is_what_the_protos_generate(tmp_path):
    """With the pinned generators; on another Python the check belongs to the one that has them."""
    pytest.importorskip("grpc_tools")
    subprocess.run([sys.executable, ROOT / "tests/proto/generate.py", tmp_path], check=True, cwd=ROOT)
    committed = {path.name: path.read_text() for path in (ROOT / "proto/jetfleet/v1").glob("*_pb2*")}
    fresh = {path.name: path.read_text() for path in (tmp_path / "jetfleet/v1").iterdir()}
    assert sorted(fresh) == sorted(committed)
    assert [name for name in fresh if fresh[name] != committed[name]] == []
    assert len(fresh) == 7 * 2 + 5 * 2


def test_the_generators_are_the_pinned_ones():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and ";" not in line
    )
    for path in (ROOT / "proto/jetfleet/v1").glob("*_pb2_grpc.py"):
        assert f"GRPC_GENERATED_VERSION = '{pins['grpcio-tools']}'" in path.read_text()
    for path in (ROOT / "proto/jetfleet/v1").glob("*_pb2.py"):
        assert "# Protobuf Python Version: 6.31.1" in path.read_text()
    assert "protobuf>=6.31.1,<7" in (ROOT / "pyproject.toml").read_text()
