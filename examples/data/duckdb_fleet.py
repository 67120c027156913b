"""The fleet's results in DuckDB, from Parquet files that were asked for in SQL:

controller query "select * from v_results" --parquet results.parquet
python duckdb_fleet.py results.parquet
"""

import sys

import duckdb

FASTEST = """
    select provenance, model, device, arg_min(variant, p50_ms) as variant, min(p50_ms) as p50_ms
    from results where verdict = 'VALID' and schedule = 'ALONE'
    group by provenance, model, device order by all
"""
VERDICTS = "select device, verdict, count(*) as n from results group by all order by all"


def main(path: str) -> None:
    database = duckdb.connect()
    database.read_parquet(path).create_view("results")
    for title, sql in (("The fastest variant of each model on each board", FASTEST), ("Verdicts", VERDICTS)):
        print(title)
        database.sql(sql).show()


if __name__ == "__main__":
    main(sys.argv[1])
