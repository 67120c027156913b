"""Who is asked for a file that is gone, and when nobody is waited for any more."""

from controller.service.recall import Recall


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def recall_of(clock: Clock) -> Recall:
    made = Recall(patience_s=30.0, now=clock)
    made.seek(["f"])
    return made


def test_every_session_is_asked_once() -> None:
    recall = recall_of(Clock())
    assert (recall.ask("a"), recall.ask("a"), recall.ask("b")) == (["f"], [], ["f"])
    recall.end(["f"])
    assert recall.ask("c") == []


def test_a_file_is_given_up_once_all_that_are_there_lack_it() -> None:
    recall = recall_of(Clock())
    recall.hear("a", holds=[], lacks=["f", "something else"])
    assert recall.hopeless({"a", "b"}) == []
    recall.hear("b", holds=[], lacks=["f"])
    assert recall.hopeless({"a", "b"}) == ["f"]
    assert recall.hopeless({"a", "b"}) == []


def test_nobody_waits_longer_than_a_lease_for_an_agent_that_does_not_answer() -> None:
    clock = Clock()
    recall = recall_of(clock)
    assert recall.hopeless({"old"}) == recall.hopeless(set()) == []
    clock.now_s = 30.0
    assert recall.hopeless({"old"}) == ["f"]


def test_whoever_says_that_he_has_it_is_waited_for_as_long_as_he_says_so() -> None:
    clock = Clock()
    recall = recall_of(clock)
    for clock.now_s in (20.0, 40.0, 60.0):
        recall.hear("busy", holds=["f"], lacks=[])
        assert recall.hopeless({"busy"}) == []
    clock.now_s = 90.0
    assert recall.hopeless({"busy"}) == ["f"]


def test_who_promises_for_ever_delays_no_rebuild_for_longer_than_twenty_times_the_patience() -> None:
    clock = Clock()
    recall = recall_of(clock)
    for clock.now_s in range(20, 600, 20):
        recall.hear("liar", holds=["f"], lacks=[])
        assert recall.hopeless({"liar"}) == []
    clock.now_s = 600.0
    recall.hear("liar", holds=["f"], lacks=[])
    assert recall.hopeless({"liar"}) == ["f"]
    assert recall.seeks("f")  # and whoever brings it after all is welcome


def test_a_file_that_is_lost_anew_is_asked_for_anew() -> None:
    recall = recall_of(Clock())
    recall.ask("a")
    recall.hear("a", holds=[], lacks=["f"])
    assert recall.hopeless({"a"}) == ["f"]
    recall.seek(["f"])
    assert recall.ask("a") == ["f"]
    assert recall.hopeless({"a"}) == []
