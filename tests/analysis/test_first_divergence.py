"""The first wrong tensor by halves: few questions in a row of layers, and the truth where branches stand in one."""

from collections.abc import Collection, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis.first_divergence import first_wrong
from controller.model.divergence import Suspect


def row(count: int) -> list[Suspect]:
    return [Suspect(f"t{number}", "", "", (f"t{number - 1}",) if number else ()) for number in range(count)]


def search(suspects: Sequence[Suspect], output: str, wrong: Collection[str]) -> tuple[str, list[str]]:
    asked: list[str] = []

    def is_right(tensor: str) -> bool:
        asked.append(tensor)
        return tensor not in wrong

    found = first_wrong(suspects, output, is_right)
    assert len(asked) == len(set(asked)), "each build takes its time: nothing is asked twice"
    return found, asked


@pytest.mark.parametrize("first", [0, 1, 500, 998, 999])
def test_a_row_of_a_thousand_takes_ten_questions_or_so(first: int) -> None:
    found, asked = search(row(1000), "t999", [f"t{number}" for number in range(first, 1000)])
    assert found == f"t{first}"
    assert len(asked) <= 12


def test_an_output_that_is_no_float_is_looked_at_through_all_that_leads_to_it() -> None:
    assert search(row(8), "classes", ["t5", "t6", "t7"])[0] == "t5"
    assert search(row(8), "classes", [])[0] == "classes"


def test_a_branch_that_is_right_hides_nothing() -> None:
    """a0 b0 a1 b1 a2 b2 join: all of a is wrong, none of b; halves alone would end at a neighbour of some b."""
    suspects = []
    for number in range(3):
        for branch in "ab":
            suspects.append(Suspect(f"{branch}{number}", "", "", (f"{branch}{number - 1}",) if number else ()))
    suspects.append(Suspect("join", "", "", ("a2", "b2")))
    assert search(suspects, "join", ["a0", "a1", "a2", "join"])[0] == "a0"


def test_what_recovers_in_between_still_ends_at_a_layer_that_reads_nothing_wrong() -> None:
    found, _ = search(row(16), "t15", ["t3", "t4", "t12", "t13", "t14", "t15"])
    assert found in ("t3", "t12")


@given(st.data())
def test_whatever_is_wrong_the_find_is_wrong_and_reads_only_what_is_right(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 24))
    suspects = []
    for number in range(count):
        earlier = st.sampled_from([f"t{before}" for before in range(number)]) if number else st.nothing()
        reads = data.draw(st.lists(earlier, max_size=min(3, number), unique=True))
        suspects.append(Suspect(f"t{number}", "", "", tuple(reads)))
    output = f"t{count - 1}"
    wrong = data.draw(st.sets(st.sampled_from([item.tensor for item in suspects]))) | {output}
    found, _ = search(suspects, output, wrong)
    assert found in wrong
    reads = {item.tensor: item.reads for item in suspects}[found]
    assert not wrong & set(reads)
