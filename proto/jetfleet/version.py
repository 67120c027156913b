"""One version for both halves, and the version of the protocol between them."""

VERSION = "0.2.0"

# Raised when an old peer would misunderstand, not when a field is added.
PROTOCOL = 1
