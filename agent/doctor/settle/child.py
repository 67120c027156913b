"""Asks questions in a child process, for one may crash or hang: `python -m agent.doctor.settle.child FD ROOT NAME...`.

Each question is two lines of JSON on the given descriptor: that it is asked, and what came of it. So the parent knows
which question ended the child.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from agent.device.cudadriver import CudaError
from agent.doctor.check import CheckContext, read_context
from agent.doctor.settle.question import CouldNotAsk, Question
from agent.doctor.settle.questions import QUESTIONS
from jetfleet.errors import JetfleetError


def main(arguments: list[str], questions: Mapping[str, Question] = QUESTIONS) -> int:
    descriptor, root, *names = arguments
    context = read_context(Path(root), state_dir=Path(root))
    with os.fdopen(int(descriptor), "w", encoding="utf-8") as pipe:
        for name in names:
            print(json.dumps({"asking": name}), file=pipe, flush=True)
            asked, text = ask(questions[name], context)
            print(json.dumps({"name": name, "asked": asked, "text": text}), file=pipe, flush=True)
    return 0


def ask(question: Question, context: CheckContext) -> tuple[bool, str]:
    """Whether there is an answer, and the answer or why not. A refusal by CUDA or by a runtime is an answer."""
    try:
        return True, question.ask(context)
    except CouldNotAsk as why:
        return False, str(why)
    except (CudaError, JetfleetError) as refused:
        return True, f"refused: {refused.message}"
    except MemoryError:
        return True, "out of memory"
    except (OSError, AttributeError, LookupError, ValueError, RuntimeError, TypeError) as error:
        return False, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
