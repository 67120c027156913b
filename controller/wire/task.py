"""Tasks as files: protobuf's JSON, which `agent once` reads, and what they need."""

from collections.abc import Iterator

from google.protobuf import json_format

from controller.model.job import Artifact
from controller.wire.job import ARTIFACT
from jetfleet.v1.task_pb2 import TaskSpec


def task_text(spec: TaskSpec) -> str:
    return json_format.MessageToJson(spec, preserving_proto_field_name=True) + "\n"


def files_of(spec: TaskSpec) -> Iterator[Artifact]:
    """Every input, engines and timing caches too; a file may come twice."""
    for item in (*spec.build.artifacts, *spec.build.timing_caches):
        yield ARTIFACT.decode(item)
    for subject in spec.bench.subjects:
        yield ARTIFACT.decode(subject.engine)
        for item in subject.artifacts:
            yield ARTIFACT.decode(item)
