"""Run as a process, on a tree whose list of metrics is longer: says where a metric of a stored measurement shows up."""

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from controller.api.job import Results
from controller.model.lease import Measured
from controller.model.result import Estimate, Provenance
from controller.model.view import ResultQuery
from controller.record.results import result_record
from controller.report.text.metrics import metrics_table
from controller.report.text.results import csv_table
from controller.report.text.table import print_csv
from controller.store.queries.results import query_rows
from testing.specs import spec
from tests.store.fleet import StoreFleet, measured, measurement

VALUE = Estimate(7.5, 7.25, 7.75)


def places(name: str, folder: Path) -> Iterator[str]:
    fleet = StoreFleet(folder)
    fleet.register("a")
    fleet.submit(spec())
    fleet.finish("a/1", fleet.must_claim("a/1"))
    bench = fleet.must_claim("a/1")
    numbers = replace(measurement(), provenance=Provenance.SIMULATED, metrics={name: VALUE})  # stored as it is
    fleet.commit("a/1", bench.token, replace(measured(), end=Measured((numbers,))))

    wanted = {name: VALUE.value, f"{name}_low": VALUE.low, f"{name}_high": VALUE.high, f"{name}_reason": None}
    columns = ", ".join(wanted)
    if fleet.sql(f"SELECT {columns} FROM v_results") == [wanted]:
        yield "view"
    rows = fleet.reader.read(lambda connection: query_rows(connection, ResultQuery()))
    if wanted.items() <= result_record(rows[0]).items():
        yield "json"
    out = io.StringIO()
    print_csv(csv_table(rows), out=out)
    (line,) = csv.DictReader(io.StringIO(out.getvalue()))
    if (line[name], line[f"{name}_low"], line[f"{name}_reason"]) == ("7.5", "7.25", ""):
        yield "csv"
    frame = Results(rows).to_pandas()
    if list(frame[name]) == [VALUE.value] and list(frame[f"{name}_high"]) == [VALUE.high]:
        yield "pandas"
    if any(cells[0] == f"`{name}`" for cells in metrics_table().rows):
        yield "document"
    fleet.close()


if __name__ == "__main__":
    sys.stdout.write(" ".join(places(sys.argv[1], Path(sys.argv[2]))))
