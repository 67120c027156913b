"""The Python that runs this process, as child processes and installed services start it."""

import os
import sys

# Absolute: Python itself gives a relative path where PATH names a relative folder, and children start elsewhere.
# Links stay: a virtual environment is found by the place of its link.
PYTHON = os.path.abspath(sys.executable)
