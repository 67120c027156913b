"""What TensorRT says, sorted: counted, kept once, and told again as the reason of a failure."""

import gc
import logging
import threading
from types import SimpleNamespace

import pytest

from agent.runtime.tensorrt.log import BuilderLog, decisive, listen, ran_out_of_memory, trimmed
from tests.agent.tensorrt.fake import SEVERITIES, Board, FakeTensorRt

SKIPPED = "Skipping tactic 0x0 due to insufficient memory on requested size of 5368709120 detected for tactic 3."
REQUEST = "Tactic Device request: 5120MB Available: 2150MB. Device memory is insufficient to use tactic."


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "[network.cpp::validate::3810] Error Code 4: API Usage Error (Network must have at least one output. In "
            "validate at /_src/optimizer/api/network.cpp:3810)",
            "Error Code 4: API Usage Error (Network must have at least one output)",
        ),
        ("ModelImporter.cpp:140: While parsing node number 0", "While parsing node number 0"),
        ("one\n  two\tthree ", "one two three"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_a_message_becomes_one_line_without_source_positions(message: str, line: str) -> None:
    assert trimmed(message) == line


def test_causes_come_before_consequences_and_memory_before_all() -> None:
    told = ["Could not build engine", "conv1: no kernel", "conv1: no kernel", "Error Code 1: OutOfMemory", ""]
    assert decisive(told) == "Error Code 1: OutOfMemory; conv1: no kernel; Could not build engine"


@pytest.mark.parametrize(
    ("errors", "skipped", "memory"),
    [
        ([], 0, False),
        (["conv1: no kernel"], 0, False),
        (["conv1: no kernel"], 3, False),  # skipped tactics are slower, not fatal
        (["Could not find any implementation for node conv1"], 3, True),  # but for the last one
        (["Could not find any implementation for node conv1"], 0, False),
        ([], 3, True),
        (["[allocator] OutOfMemory"], 0, True),
        (["Requested amount of GPU memory (1 bytes) could not be allocated"], 0, True),
        (["cudaMalloc: out of memory"], 0, True),
        (["NvMapMemAllocInternalTagged: error 12"], 0, True),
        (["cuDNN: CUDNN_STATUS_ALLOC_FAILED"], 0, True),
        (["Failed to allocate the resource"], 0, True),
    ],
)
def test_a_failure_for_lack_of_memory_is_told_by_its_words(errors: list[str], skipped: int, memory: bool) -> None:
    assert ran_out_of_memory(errors, skipped) is memory


def hear(*messages: tuple[str, str]) -> BuilderLog:
    words = BuilderLog()
    for severity, message in messages:
        words.hear(severity, message)
    return words


def test_skipped_tactics_are_counted_once_in_whatever_lines_they_are_told() -> None:
    assert hear(("WARNING", REQUEST), ("WARNING", SKIPPED)).tactics_skipped == 1
    assert hear(("WARNING", REQUEST), ("WARNING", REQUEST)).tactics_skipped == 2
    assert hear(("WARNING", f"{REQUEST}\n{SKIPPED}")).tactics_skipped == 1
    assert hear(("VERBOSE", "Skipping tactic 3: it is slower")).tactics_skipped == 0


def test_the_first_warnings_are_kept_each_once() -> None:
    words = hear(*(("WARNING", f"warning {number // 2}") for number in range(100)))
    assert words.warnings == [f"warning {number}" for number in range(20)]


def test_what_is_said_of_every_scale_is_told_once() -> None:
    scales = [("WARNING", f"Scale 1.{number}e-08 of /conv{number}/q is a subnormal FP16 value") for number in range(40)]
    words = hear(*scales, ("WARNING", "[3] weights are affected by this issue: Detected subnormal FP16 values."))
    told, other = words.warnings
    assert told == "Scale 1.0e-08 of /conv0/q is a subnormal FP16 value (and 39 more like it)"
    assert "affected by this issue" in other
    layers = hear(*(("WARNING", f"Layer 'w{i}' (CONSTANT): Unsupported on DLA. Switching.") for i in range(3)))
    assert layers.warnings == ["Layer 'w0' (CONSTANT): Unsupported on DLA. Switching. (and 2 more like it)"]


def test_verbose_lines_are_kept_only_of_the_dla() -> None:
    words = hear(("VERBOSE", "After concat removal: 1 layers"), ("VERBOSE", "x is not supported on DLA"), ("INFO", "i"))
    assert list(words.lines) == ["x is not supported on DLA", "i"]
    assert hear(("INFO", "Total Activation Memory: 8237056 bytes")).activation_bytes == 8237056


def test_verbose_lines_reach_only_who_keeps_them() -> None:
    trt = FakeTensorRt(Board())
    quiet, dla = BuilderLog(), BuilderLog(verbose=True)
    logger = listen(trt, quiet)
    listen(trt, dla)
    logger.log(SEVERITIES.VERBOSE, "x is not supported on DLA")
    assert (list(quiet.lines), list(dla.lines)) == ([], ["x is not supported on DLA"])


def test_a_call_that_may_be_refused_explains_no_later_failure() -> None:
    words = BuilderLog()
    with words.aside() as said:
        words.hear("ERROR", "the limit is too small")
        words.report_error("code", "the limit is too small")
    assert said == ["the limit is too small"] * 2
    words.warn("the limit stays as it was")
    assert (words.errors, words.reason()) == ([], "TensorRT gave no reason")
    words.hear("ERROR", "no kernel")
    assert words.reason() == "no kernel"


def test_without_errors_the_warnings_are_the_reason() -> None:
    assert hear(("WARNING", "it looks odd")).reason() == "it looks odd"
    assert BuilderLog().reason() == "TensorRT gave no reason"


def test_the_recorder_keeps_what_tensorrt_would_clear() -> None:
    words = BuilderLog()
    words.report_error("code", "no kernel")
    words.clear()
    assert (words.get_num_errors(), words.get_error_code(0), words.get_error_desc(0)) == (1, "code", "no kernel")
    assert words.has_overflowed() is False
    assert words.reason() == "no kernel"


def test_a_recorded_allocation_that_failed_is_one_of_memory_whatever_its_words() -> None:
    words = BuilderLog()
    words.report_error(SimpleNamespace(name="INTERNAL_ERROR"), "resizePhysical: invalid argument")
    assert not words.out_of_memory()
    words.report_error(SimpleNamespace(name="FAILED_ALLOCATION"), "resizePhysical: invalid argument")
    assert words.out_of_memory()


def test_what_is_said_while_a_line_is_kept_does_not_lock_up() -> None:
    """A TensorRT object that the collector takes in the middle of a line logs its end from there."""
    words = BuilderLog()

    class Collecting(str):
        def __contains__(self, part: object) -> bool:
            words.hear("ERROR", "deleted meanwhile")
            return False

    thread = threading.Thread(target=words.hear, args=("VERBOSE", Collecting("a line")), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert "deleted meanwhile" in words.errors


def test_each_thread_hears_of_its_own_and_all_hear_of_tensorrts() -> None:
    trt, mine, others = FakeTensorRt(Board()), BuilderLog(), list[BuilderLog]()
    logger = listen(trt, mine)

    def load() -> None:
        others.append(BuilderLog())
        listen(trt, others[0])
        logger.log(SEVERITIES.WARNING, "theirs")
        both.wait()  # as long as a thread lives nobody else has its number
        both.wait()

    both = threading.Barrier(2)
    thread = threading.Thread(target=load)
    thread.start()
    both.wait()
    logger.log(SEVERITIES.WARNING, "mine")
    of_tensorrt = threading.Thread(target=logger.log, args=(SEVERITIES.WARNING, "anybody's"))
    of_tensorrt.start()
    of_tensorrt.join()
    both.wait()
    thread.join()
    assert (mine.warnings, others[0].warnings) == (["mine", "anybody's"], ["theirs", "anybody's"])


def test_plugins_are_registered_once_however_many_listen() -> None:
    trt = FakeTensorRt(Board())
    together = threading.Barrier(3)

    def begin() -> None:
        together.wait()
        listen(trt, BuilderLog())

    threads = [threading.Thread(target=begin) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trt.registered == [""]


def test_plugins_that_are_not_there_are_a_warning() -> None:
    trt, words = FakeTensorRt(Board()), BuilderLog()
    trt.init_libnvinfer_plugins = lambda logger, namespace: False
    listen(trt, words)
    assert words.warnings == ["TensorRT's own plugins are not there: a model or engine that needs one fails"]
    del (other := FakeTensorRt(Board())).init_libnvinfer_plugins
    listen(other, quiet := BuilderLog())
    assert quiet.warnings == []


def test_one_logger_tells_all_who_listen_and_the_log(caplog: pytest.LogCaptureFixture) -> None:
    trt = FakeTensorRt(Board())
    first, second = BuilderLog(), BuilderLog()
    logger = listen(trt, first)
    assert listen(trt, second) is logger
    with caplog.at_level(logging.DEBUG):
        logger.log(SEVERITIES.WARNING, "mind the gap")
        logger.log(SEVERITIES.VERBOSE, "too much")
        logger.log(SimpleNamespace(name="A_NEW_ONE"), "unheard of")
    assert first.warnings == second.warnings == ["mind the gap"]
    assert caplog.record_tuples == [("tensorrt", logging.WARNING, "mind the gap")]
    del first
    gc.collect()
    logger.log(SEVERITIES.ERROR, "alone")
    assert second.errors == ["alone"]
