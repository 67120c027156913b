"""The share of a build that is done, from phases as TensorRT has been seen to open and close them. Pure."""

from agent.runtime.tensorrt.progress import BuildProgress


def run(steps: "list[tuple[object, ...]]", stop: bool = False) -> "tuple[list[tuple[float, str]], list[bool]]":
    told: list[tuple[float, str]] = []
    answers: list[bool] = []
    progress = BuildProgress(lambda phase, fraction, detail: told.append((fraction or 0.0, detail)), lambda: stop)
    for call, *arguments in steps:
        answer = getattr(progress, str(call))(*arguments)
        if call == "step_complete":
            answers.append(answer)
    return told, answers


def test_steps_of_one_phase_are_its_share() -> None:
    told, answers = run([("phase_start", "Building", None, 4), *(("step_complete", "Building", n) for n in range(4))])
    assert told == [(0.0, "Building"), (0.25, "Building"), (0.5, "Building"), (0.75, "Building"), (1.0, "Building")]
    assert answers == [True] * 4


def test_a_phase_in_a_step_fills_a_part_of_it() -> None:
    told, _ = run(
        [
            ("phase_start", "Building", None, 2),
            ("step_complete", "Building", 0),
            ("phase_start", "Timing", "Building", 2),
            ("step_complete", "Timing", 0),
            ("phase_finish", "Timing"),
            ("phase_start", "Writing", "Building", 1),
            ("step_complete", "Writing", 0),
            ("step_complete", "Building", 1),
        ]
    )
    assert told == [
        (0.0, "Building"),
        (0.5, "Building"),
        (0.5, "Building / Timing"),
        (0.625, "Building / Timing"),  # half of the step's half is Timing's
        (0.75, "Building"),
        (0.75, "Building / Writing"),
        (0.875, "Building / Writing"),
        (1.0, "Building"),
    ]


def test_it_never_falls_whatever_is_called() -> None:
    """Parents that finish before their children, phases opened twice, steps of phases that nobody opened."""
    told, answers = run(
        [
            ("phase_start", "Building", None, 3),
            ("phase_start", "Costs", "Building", 2),
            ("phase_start", "Formats", "Costs", 1),
            ("phase_start", "Formats", "Costs", 1),
            ("step_complete", "Formats", 0),
            ("phase_finish", "Costs"),
            ("phase_finish", "Formats"),
            ("step_complete", "Formats", 0),
            ("phase_finish", "Nothing"),
            ("phase_start", "Orphan", "Gone", 5),
            ("step_complete", "Building", 2),
            ("step_complete", "Building", 0),
            ("phase_finish", "Building"),
        ]
    )
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert fractions[-1] == 1.0
    assert answers == [True] * 4


def test_thousands_of_small_steps_are_told_in_hundredths() -> None:
    opened = [("phase_start", "Building", None, 1), ("phase_start", "Timing", "Building", 5000)]
    told, _ = run([*opened, *(("step_complete", "Timing", n) for n in range(5000))])
    assert 45 <= len(told) <= 60
    assert told[-1][0] >= 0.49


def test_a_stop_is_the_answer_to_every_step() -> None:
    _, answers = run([("phase_start", "Building", None, 1), ("step_complete", "Building", 0)], stop=True)
    assert answers == [False]
