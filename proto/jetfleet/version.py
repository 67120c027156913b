"""One version for both halves, and the version of the protocol between them."""

VERSION = "0.2.0"

# Raised when an old peer would misunderstand, not when a field is added. 2: the numbers of a measurement travel by
# name; those of an agent of 0.1 would be read as none.
PROTOCOL = 2
