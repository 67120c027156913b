"""Last words of a child, and whether they are of memory."""

import pytest

from agent.memory_errors import mentions_lack_of_memory


@pytest.mark.parametrize(
    ("words", "memory"),
    [
        ("terminate called after throwing an instance of 'std::bad_alloc'", True),
        ("NvMapMemAllocInternalTagged: 1075072515 error 12 | NvMapMemHandleAlloc: error 0", True),
        ("CUDA error 2: out of memory", True),
        ("Segmentation fault", False),
        ("", False),
    ],
)
def test_memory_is_told_from_other_ends(words: str, memory: bool) -> None:
    assert mentions_lack_of_memory(words) is memory
