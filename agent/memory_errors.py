"""What is said of a task that ran out of memory: by the child itself, or by whoever found it killed."""

from jetfleet.errors import JetfleetError

_FIX = "a smaller batch or profile, a smaller workspace_mib, or less else that runs on the board"
# In the last words of a child that crashed; the last is the Jetson driver's, on stderr.
_WORDS = ("std::bad_alloc", "MemoryError", "out of memory", "NvMapMemAlloc")


def speaks_of_memory(words: str) -> bool:
    """Whether a child's last words give a lack of memory as the reason for its end."""
    return any(word in words for word in _WORDS)


def out_of_memory(message: str) -> str:
    """The message of such a failure, with what may help."""
    return str(JetfleetError(message, hint=_FIX))
