"""What a machine's sensors told while it measured: the file that an agent left, as series for a picture."""

import json
import math
from collections.abc import Iterator, Sequence

from controller.model.report import Series
from jetfleet.errors import Corrupt

_MOST_POINTS = 200


def series_of(text: str) -> Iterator[Series]:
    """Channels that changed, thinned; seconds from the begin of the first window. Raises Corrupt.

    The first line of the file is of the whole, each further one of a channel.
    """
    try:
        for line in text.splitlines()[1:]:
            found = json.loads(line)
            pairs = zip(map(float, found["t_s"]), map(float, found["values"]), strict=True)
            read = [pair for pair in pairs if all(map(math.isfinite, pair))]  # JSON of Python's has NaN, a picture not
            if len({value for _, value in read}) > 1:
                kept = read[:: max(1, len(read) // _MOST_POINTS)]
                seconds, values = zip(*kept, strict=True)
                yield Series(str(found["channel"]), str(found["unit"]), seconds, values)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Corrupt(f"telemetry cannot be read: {error}") from error


def latency_of(text: str, rounds_ms: Sequence[float]) -> Iterator[Series]:
    """The median of each round over the same clock, where the file tells of as many rounds. Raises Corrupt."""
    try:
        windows = json.loads(text.partition("\n")[0]).get("rounds", [])
        middles = tuple((float(begin) + float(end)) / 2 for begin, end in windows)
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        raise Corrupt(f"telemetry cannot be read: {error}") from error
    if middles and len(middles) == len(rounds_ms):
        yield Series("p50 of each round", "ms", middles, tuple(rounds_ms))
