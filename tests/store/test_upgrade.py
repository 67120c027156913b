"""One model on two software stacks of one board: slower, wrong, no longer built, other layers. All from the views.

The facts are those of the session at the time: the second session is the same board after an upgrade.
"""

import json
from dataclasses import replace

from controller.model.lease import Measured
from controller.model.result import Estimate
from controller.model.task import FailureKind
from testing.devices import CPU
from testing.specs import spec
from tests.store.fleet import StoreFleet, failed, measured

OLD = {**CPU, "l4t": "36.4.3", "runtime.onnxruntime": "1.22.0"}
NEW = {**CPU, "l4t": "36.5.2", "runtime.onnxruntime": "1.23.2"}


def test_rows_of_both_stacks_tell_model_stack_latency_outputs_and_layers(fleet: StoreFleet) -> None:
    for number, (facts, layers) in enumerate(((OLD, 40), (NEW, 44)), start=1):
        session = f"a/{number}"
        fleet.register("a", facts=facts, session=session)
        fleet.submit(spec())
        build = fleet.must_claim(session)
        fleet.finish(session, build)
        bench = fleet.must_claim(session)
        outcome = measured()
        assert isinstance(outcome.end, Measured)
        (item,) = outcome.end.measurements
        counted = replace(item, metrics={**item.metrics, "layer_count": Estimate(float(layers))})
        fleet.commit(session, bench.token, replace(outcome, end=replace(outcome.end, measurements=(counted,))))
    rows = fleet.sql(
        "SELECT model_sha256, runtime_version, facts ->> '$.l4t' AS l4t, layer_count, p50_ms, outputs_ok, engine_key "
        "FROM v_results ORDER BY measurement_id"
    )
    old, new = rows
    assert old["model_sha256"] == new["model_sha256"]
    assert (old["runtime_version"], old["l4t"], old["layer_count"]) == ("1.22.0", "36.4.3", 40)
    assert (new["runtime_version"], new["l4t"], new["layer_count"]) == ("1.23.2", "36.5.2", 44)
    assert old["engine_key"] != new["engine_key"]


def test_a_stack_on_which_it_is_no_longer_built_is_told_with_its_versions(fleet: StoreFleet) -> None:
    fleet.register("a", facts=NEW)
    fleet.submit(spec())
    build = fleet.must_claim("a/1")
    fleet.commit("a/1", build.token, failed(FailureKind.BUILD_REFUSED, "no kernel for Foo"))
    (row,) = fleet.sql(
        "SELECT a.failure_kind, a.failure_message, e.runtime_version, e.built, a.facts FROM v_attempts a "
        "JOIN v_engines e ON e.engine_key = a.engine_key WHERE a.kind = 'BUILD' AND a.state = 'FAILED'"
    )
    assert (row["failure_kind"], row["failure_message"]) == ("BUILD_REFUSED", "no kernel for Foo")
    assert (row["runtime_version"], row["built"], json.loads(row["facts"])["l4t"]) == ("1.23.2", 0, "36.5.2")
