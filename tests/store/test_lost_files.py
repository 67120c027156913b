"""A file that is damaged or gone stops the tasks that need it, and nobody else, until it is brought again."""

from controller.model.task import JobState
from controller.store.commands.blobs import keep_blobs, lose_blobs
from controller.store.commands.cancel import cancel
from controller.store.commands.lost_files import give_up
from controller.store.queries import explain
from testing.specs import spec
from tests.store.fleet import StoreFleet

MODEL, OTHER = "aa" * 32, "77" * 32


def lose(fleet: StoreFleet, sha256: str) -> None:
    fleet.lost_blobs.add(sha256)
    fleet.write(lambda c: lose_blobs(c, [sha256]))
    fleet.write(lambda c: give_up(c, [sha256]))


def bring(fleet: StoreFleet, sha256: str) -> None:
    fleet.lost_blobs.discard(sha256)
    fleet.sought_blobs.discard(sha256)
    fleet.write(lambda c: keep_blobs(c, {sha256: 1}))


def told(fleet: StoreFleet, job_id: int) -> list[str]:
    found = fleet.reader.read(lambda c: explain.reasons(c, job_id, alive=fleet.alive, progress={}))
    return [item.why for item in found]


def test_a_job_whose_model_is_lost_waits_and_goes_on_when_it_is_back(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(model=MODEL)).job_id
    other = fleet.submit(spec(8, model=OTHER)).job_id
    lose(fleet, MODEL)
    fleet.run_all("a/1")
    assert fleet.job(other).state is JobState.SUCCEEDED
    assert fleet.states(job_id) == [("BUILD", "WAITING"), ("BENCH", "WAITING")]
    assert "submit its job file again" in told(fleet, job_id)[0]
    bring(fleet, MODEL)
    assert len(fleet.run_all("a/1")) == 2
    assert fleet.job(job_id).state is JobState.SUCCEEDED


def test_a_bench_whose_reference_is_lost_waits(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(model=MODEL)).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    lose(fleet, MODEL)
    assert fleet.claim("a/1") is None
    assert fleet.states(job_id) == [("BUILD", "SUCCEEDED"), ("BENCH", "WAITING")]
    assert "damaged or gone" in told(fleet, job_id)[0]
    bring(fleet, MODEL)
    assert len(fleet.run_all("a/1")) == 1


def test_what_waits_for_a_file_can_be_cancelled(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(model=MODEL)).job_id
    lose(fleet, MODEL)
    assert fleet.claim("a/1") is None
    fleet.write(lambda c: cancel(c, job_id))
    assert fleet.job(job_id).state is JobState.CANCELLED


def built_on_a(fleet: StoreFleet) -> tuple[int, str]:
    """A second job of what a has built, and the digest of the engine."""
    fleet.register("a")
    fleet.submit(spec(model=MODEL))
    fleet.run_all("a/1")
    job_id = fleet.submit(spec(model=MODEL), key="second").job_id
    return job_id, fleet.sql("SELECT sha256 FROM engine")[0]["sha256"]


def test_a_bench_whose_engine_is_sought_waits_and_runs_once_an_agent_has_sent_it(fleet: StoreFleet) -> None:
    job_id, engine = built_on_a(fleet)
    fleet.sought_blobs.add(engine)
    assert fleet.write(lambda c: lose_blobs(c, [engine])) == [engine]
    assert fleet.write(lambda c: lose_blobs(c, [engine])) == []
    assert fleet.claim("a/1") is None
    assert fleet.states(job_id) == [("BENCH", "WAITING")]
    assert "agents are asked" in told(fleet, job_id)[0]
    bring(fleet, engine)
    assert [name.split()[0] for name in fleet.run_all("a/1")] == ["bench"]


def test_an_engine_that_no_agent_has_is_built_again(fleet: StoreFleet) -> None:
    _, engine = built_on_a(fleet)
    fleet.sought_blobs.add(engine)
    fleet.write(lambda c: lose_blobs(c, [engine]))
    assert fleet.claim("a/1") is None
    assert fleet.write(lambda c: give_up(c, [engine])) == [engine]
    assert fleet.must_claim("a/1").name.split()[0] == "build"
