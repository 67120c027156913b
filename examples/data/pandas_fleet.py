"""The fleet's results in pandas: python pandas_fleet.py ~/.local/state/jetfleet/fleet.db"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pandas


def main(path: str) -> None:
    with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)) as database:
        results = pandas.read_sql("select * from v_results", database)
        runs = pandas.read_sql("select * from v_runs where counts", database)

    # Only what may be trusted, and never measured and simulated numbers in one mean.
    valid = results[results.verdict == "VALID"]
    alone = valid[valid.schedule == "ALONE"]
    print("p50 in ms, the newest of each variant on each board")
    newest = alone.sort_values("measurement_id").groupby(["provenance", "model", "variant", "device"]).p50_ms.last()
    print(newest.unstack("device").to_string())

    print("\nHow far fresh processes of one measurement are apart")
    by_bench = runs.groupby(["device", "variant", "measurement_id"]).p50_ms
    print((by_bench.max() / by_bench.min() - 1).groupby(["device", "variant"]).median().to_string())


if __name__ == "__main__":
    main(sys.argv[1])
