"""The command `controller`, by its script or as a module: the one place where errors become text and exit codes.

Imports nothing that an installation may lack, so that it can say what to install.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from controller.cli.arguments import asks_for_json, reorder_options
from controller.cli.failures import INTERRUPTED, missing_package, print_bug, print_error
from controller.cli.settings import Settings
from jetfleet.streams import prepare_streams, run_printing


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a verb and exits. Exit codes: see controller/cli/failures.py."""
    prepare_streams()
    reordered = reorder_options(sys.argv[1:] if arguments is None else arguments)
    as_json = asks_for_json(reordered)
    settings = Settings()
    tell = partial(print_error, as_json=as_json)

    def bug(error: Exception) -> int:
        return print_bug(error, state_dir=settings.state_dir, verbose=settings.verbose)

    try:
        code = run_printing(partial(_run, reordered, settings), tell=tell)
    except ModuleNotFoundError as error:
        advice = missing_package(error)
        if advice is None:
            raise SystemExit(bug(error)) from error
        code = tell(advice)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        raise SystemExit(bug(error)) from error
    sys.exit(code)


def _run(arguments: Sequence[str], settings: Settings) -> int:
    from controller.cli.app import app
    from controller.cli.usage import run_command

    return run_command(app, arguments, settings)


if __name__ == "__main__":
    main()
