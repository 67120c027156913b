"""An agent that speaks the Fleet service and does what the test says: constructed facts, made-up engines and numbers.

Nothing of TensorRT runs here. It stands for a board, so that what a board would send can be followed through a real
controller.
"""

import uuid
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import grpc

from controller.client.transfer import Transfer
from controller.model.job import Artifact, JobSpec, Precision, Role, Variant
from controller.wire.facts import fact_fields
from jetfleet.blobs import sha256_file
from jetfleet.rpc import CALL_METADATA
from jetfleet.v1 import fleet_pb2, fleet_pb2_grpc, task_pb2
from testing.devices import AGX_ORIN
from testing.jobs import simulated_job

ORIN = task_pb2.Facts(**fact_fields(AGX_ORIN))


class ScriptedAgent:
    """Use as a context manager; every call raises what gRPC raises."""

    def __init__(self, address: str, folder: Path, *, name: str = "orin", facts: task_pb2.Facts = ORIN) -> None:
        self._channel = grpc.insecure_channel(address)
        self._stub = fleet_pb2_grpc.FleetStub(self._channel)
        self._files = Transfer(self._channel, address=address, timeout_s=30, patience_s=30)
        self._folder, self._name, self._facts = folder, name, facts
        self._session = uuid.uuid4().hex
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "ScriptedAgent":
        request = fleet_pb2.RegisterRequest(
            device_id=f"{self._name}-id",
            session_id=self._session,
            boot_id=f"{self._name}-boot",
            bench_domain=f"{self._name}-domain",
            agent_version="scripted",
            facts=self._facts,
            name=self._name,
        )
        self._stub.Register(request, metadata=CALL_METADATA, timeout=60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def claim(self) -> fleet_pb2.Lease:
        request = fleet_pb2.ClaimRequest(session_id=self._session, request_id=uuid.uuid4().hex)
        request.wait.FromSeconds(20)
        answer = self._stub.Claim(request, metadata=CALL_METADATA, timeout=60)
        assert answer.HasField("lease"), "there was nothing to claim"
        return answer.lease

    def commit(self, lease: fleet_pb2.Lease, outcome: task_pb2.Outcome) -> str:
        request = fleet_pb2.CommitRequest(session_id=self._session, attempt_token=lease.attempt_token, outcome=outcome)
        return self._stub.Commit(request, metadata=CALL_METADATA, timeout=60).task_state

    def file(self, role: "task_pb2.ArtifactRole.ValueType", name: str, content: bytes) -> task_pb2.Artifact:
        """Uploads a file that a task left."""
        path = self._folder / name
        path.write_bytes(content)
        digest = sha256_file(path)
        self._files.upload({digest: path})
        return task_pb2.Artifact(role=role, name=name, sha256=digest, size_bytes=len(content))

    def built(
        self, lease: fleet_pb2.Lease, *, cache: task_pb2.Artifact | None = None, **told: object
    ) -> task_pb2.Outcome:
        """An engine of made-up bytes; it combined what it was handed into `cache`."""
        key = lease.task.build.engine_key
        engine = self.file(task_pb2.ARTIFACT_ROLE_ENGINE, f"{key[:12]}.engine", f"no engine at all: {key}".encode())
        built = task_pb2.Built(engine=engine, **told)
        built.build_time.FromSeconds(7)
        if cache is not None:
            built.timing_cache.made.CopyFrom(cache)
            built.timing_cache.handed.extend(item.sha256 for item in lease.task.build.timing_caches)
            built.timing_cache.hits, built.timing_cache.misses = 40, 2
        return task_pb2.Outcome(built=built)


def measured(bench: task_pb2.BenchTask) -> task_pb2.Outcome:
    """One made-up measurement of each subject, with the flags that it came with; of several also the whole."""
    items = []
    for index, subject in enumerate(bench.subjects):
        item = task_pb2.Measurement(subject_index=index, provenance=task_pb2.PROVENANCE_SIMULATED, n=500, processes=1)
        for name, value in (("p50_ms", 2.0), ("p90_ms", 2.1), ("p99_ms", 2.2)):
            item.metrics[name].value = value + index
        item.metrics["throughput_per_s"].value = 500.0
        item.flags.extend(subject.flags)
        if subject.placement.startswith("dla"):
            item.metrics["dla_time_share"].value = 0.9
        items.append(item)
    if len(items) > 1:
        whole = task_pb2.Measurement(provenance=task_pb2.PROVENANCE_SIMULATED, n=1000, processes=1)
        for name in ("p50_ms", "p90_ms", "p99_ms"):
            whole.metrics[name].reason = "several subjects have no one latency"
        whole.metrics["throughput_per_s"].value = 500.0 * len(items)
        items.append(whole)
    return task_pb2.Outcome(measured=task_pb2.Measured(measurements=items))


def tensorrt_job(
    folder: Path, placement: str = "gpu", *, options: dict[str, str] | None = None
) -> tuple[JobSpec, dict[str, Path]]:
    """An FP16 variant for TensorRT, with the files of nothing."""
    spec, files = simulated_job(folder)
    plain = spec.variants[0]
    graph = next(item for item in plain.artifacts if item.role is Role.MODEL_FP32)
    lowered = Artifact(Role.MODEL_FP16, "model-fp16.onnx", graph.sha256, graph.size_bytes)
    variant: Variant = replace(
        plain,
        key=f"tensorrt-fp16-b1-{placement}",
        runtime="tensorrt",
        precision=Precision.FP16,
        placement=placement,
        artifacts=(*plain.artifacts, lowered),
        options=options or {},
    )
    return replace(spec, variants=(variant,)), files
