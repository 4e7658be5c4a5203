"""DuckDB's side of a comparison; prints seconds, peak memory in bytes, and rows.

    duck.py load RECORDS.ndjson DATABASE
    duck.py parquet RECORDS.ndjson RAW.parquet
    duck.py report raw|lake SQL OUT.csv PARQUET...

A report reads records as they were sent (raw) or the spans of a lake, and writes what the server's report of the same
figures holds. The clock starts when DuckDB is loaded: the start of Python is not measured.
"""

import resource
import sys
import time
from pathlib import Path

import duckdb

HERE = Path(__file__).parent
THREADS = 2
COLUMNS = {
    name: "BIGINT" if name in ("from", "to") else "VARCHAR"
    for name in ("type", "event_id", "playback_id", "customer_id", "device_id", "device_os", "geo_region", "from", "to")
}
SOURCES = {
    "raw": "SELECT * FROM read_parquet({files})",
    "lake": 'SELECT * EXCLUDE (from_time, to_time), epoch_ms(from_time) AS "from", epoch_ms(to_time) AS "to" FROM read_parquet({files})',
}


def main():
    what, *arguments = sys.argv[1:]
    begun = time.monotonic()
    rows = {"load": load, "parquet": parquet, "report": report}[what](*arguments)
    seconds = time.monotonic() - begun
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, rows)


def load(records, database):
    connection = connect(database)
    connection.execute(f"CREATE TABLE records AS {read(records)}")
    connection.execute("CHECKPOINT")
    return count(connection, "records")


def parquet(records, out):
    connection = connect()
    # In the order of arrival, which DuckDB's writer keeps without a sort.
    connection.execute(f"COPY ({read(records)}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    return count(connection, f"read_parquet('{out}')")


def report(source, sql, out, *files):
    connection = connect()
    connection.execute("CREATE TEMP VIEW records AS " + SOURCES[source].format(files=list(files)))
    connection.execute((HERE / "spans.sql").read_text())
    connection.execute(f"COPY ({(HERE / sql).read_text()}) TO '{out}' (FORMAT csv, HEADER)")
    return count(connection, "spans")


def connect(database=":memory:"):
    return duckdb.connect(database, config={"threads": THREADS})


def read(records):
    # With named types DuckDB need not detect them, which is fastest.
    return f"SELECT * FROM read_json('{records}', format = 'newline_delimited', columns = {COLUMNS})"


def count(connection, table):
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


main()
