"""The console script `controller`: says what to install where the packages of the command line itself are missing."""

import sys
from typing import NoReturn

from controller.cli.failures import missing_package, print_error


def main() -> NoReturn:
    try:
        from controller.cli.main import main as run
    except ModuleNotFoundError as error:
        if (advice := missing_package(error)) is None:
            raise
        sys.exit(print_error(advice, as_json=False))
    run()
