"""The noise of a device as a table and as JSON."""

from controller.analysis.noise_levels import device_noise
from controller.model.result import FlagKind, Provenance
from controller.record.noise import noise_record
from controller.report.text.noise import noise_notes, noise_table
from controller.report.text.table import plain_lines
from tests.analysis.runs import repeats, row


def test_levels_are_lines_and_unknown_is_no_number() -> None:
    rows = [*repeats(first=1), row(50, 99.0, FlagKind.WRONG_OUTPUT)]
    found = device_noise("nano-1", rows, "p50_ms", provenance=Provenance.MEASURED)
    lines = {line.split("  ")[0]: line for line in plain_lines(noise_table(found))}
    assert lines["bench"].split()[:4] == ["bench", "12", "0.052", "%"]
    assert lines["round"].split()[1:4] == ["none", "unknown", "unknown"]
    assert list(noise_notes(found)) == [
        "p50_ms on nano-1, MEASURED; of repeats of the same thing",
        "compare reckons with a noise floor of 0.2%, learnt from 12 A/A benches on nano-1",
        "left out: 1 row with something else against them",
    ]
    record = noise_record(found)
    assert [level["level"] for level in record["levels"]] == ["round", "run", "bench", "bench of one process", "build"]
    assert record["levels"][3]["deviation"] is None
