"""`python -m agent.work ATTEMPT_DIR`: the child process that the daemon starts for an attempt."""

import os
import sys

from agent.work.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
