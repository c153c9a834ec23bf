#!/usr/bin/env python3
"""Times questions of `tidegate sql` against the same ones of DuckDB and Polars where they are installed, in turns.

    cargo build --release
    python3 benches/scan.py          # makes the input
    python3 benches/sql.py [--threads N] [--repeat N] [--folder DIR] [--data NAME]

Over the input of `benches/scan.py`: a count and a sum over raw gzip; one address in a lake of all records; what a `scan` takes and
what `records` and `edges` take that are judged on the fly; and how long it takes to say 1. Every step runs `--repeat` times, in turns,
and the fastest run counts. Needs nothing but Python's own library.
"""

import argparse
import glob
import importlib.util
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

RAW = "select action, count(*), sum(bytes) from flows group by action"
ONE = "select count(*), min(start), max(start) from records where client_addr = '{}'"

DUCKDB_RAW = """
import duckdb, sys
duckdb.sql(f"set threads = {sys.argv[2]}")
duckdb.sql(f"select action, count(*), sum(bytes) from read_csv('{sys.argv[1]}', delim=' ', header=true, nullstr='-') group by 1").fetchall()
"""

POLARS_RAW = """
import polars, sys
scan = polars.scan_csv(sys.argv[1], separator=' ', null_values='-', infer_schema_length=10000, ignore_errors=True)
scan.group_by('action').agg(polars.len(), polars.col('bytes').sum()).collect()
"""

DUCKDB_ONE = """
import duckdb, sys
duckdb.sql(f"set threads = {sys.argv[2]}")
duckdb.sql(f"select count(*), min(start), max(start) from read_parquet('{sys.argv[1]}', hive_partitioning=true) where client_addr = '{sys.argv[3]}'").fetchall()
"""


def timed(command, environment):
    """Wall seconds of a command."""
    start = time.monotonic()
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    if ran.returncode != 0:
        sys.exit(f"{' '.join(command[:4])} …: {ran.stderr.decode(errors='replace')}")
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "tidegate-bench"))
    parser.add_argument("--data", default="4000000-4-4", help="the input's folder in that folder")
    options = parser.parse_args()
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    program = os.path.join(target, "release", "tidegate")
    policy = os.path.join(ROOT, "policies", "sec-003.toml")
    logs = os.path.join(options.folder, options.data, "logs")
    if not os.path.isdir(logs):
        sys.exit(f"{logs}: no such folder; run benches/scan.py first")
    threads = str(options.threads)

    lake = os.path.join(options.folder, "lake-all")
    scan = [program, "scan", logs, "--policy", policy, "--threads", threads]
    if not os.path.exists(os.path.join(lake, "lake.json")):
        subprocess.run([*scan, "--lake", lake, "--keep", "all"], check=True, stdout=subprocess.DEVNULL)
    sql = [program, "sql", "--threads", threads]
    found = subprocess.run(
        [*sql, "--lake", lake, "--format", "csv", "-c",
         "select client_addr from edges where client_tier = 'app' order by connections desc, client_addr limit 1"],
        check=True, capture_output=True, text=True).stdout.split()
    address = found[1]

    text = os.path.join(logs, "**", "*.gz")
    files = os.path.join(lake, "records", "*", "*", "*.parquet")
    judged = [*sql, "--logs", logs, "--policy", policy]
    steps = {"sql: select 1": [*sql, "-c", "select 1"], "sql: raw gzip": [*sql, "--logs", logs, "-c", RAW]}
    if importlib.util.find_spec("polars"):
        steps["Polars: raw gzip"] = [sys.executable, "-c", POLARS_RAW, text]
    if importlib.util.find_spec("duckdb"):
        steps["DuckDB: raw gzip"] = [sys.executable, "-c", DUCKDB_RAW, text, threads]
    steps["sql: one address"] = [*sql, "--lake", lake, "-c", ONE.format(address)]
    if importlib.util.find_spec("duckdb"):
        steps["DuckDB: one address"] = [sys.executable, "-c", DUCKDB_ONE, files, threads, address]
    steps["scan"] = scan
    steps["sql: edges on the fly"] = [*judged, "-c", "select verdict, sum(connections) from edges group by verdict"]
    steps["sql: records on the fly"] = [*judged, "-c", "select verdict, count(*) from records group by verdict"]

    runs = {step: [] for step in steps}
    environment = {**os.environ, "POLARS_MAX_THREADS": threads}
    for _ in range(options.repeat):
        for step, command in steps.items():
            runs[step].append(timed(command, environment))
    print(f"{options.data}, {threads} threads, {len(glob.glob(text, recursive=True))} objects")
    for step, found in runs.items():
        print(f"{step:26} {min(found):8.3f} s")


main()
