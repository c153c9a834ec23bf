#!/usr/bin/env python3
"""Times whole runs of `tidegate scan` against gunzip alone, and against DuckDB and Polars where they are installed.

    cargo build --release
    python3 benches/scan.py [--records N] [--records-per-connection N] [--slots N] [--threads N] [--repeat N] [--ours]
                            [--folder DIR]

Makes its input with `tidegate generate --profile bench` (version 5, 29 fields, 16 gzip objects of 4 slots) and keeps it
in the folder. Every step runs `--repeat` times, in turns, and the fastest run counts, so that what else the machine does
weighs on all alike; of the peaks of memory the least, the middle and the greatest are told. `--ours` leaves out other
programs and `--keep all`. Gunzip alone is Debian's `libdeflate-gunzip` (package libdeflate-tools), one process a thread;
without it there are no ratios. Needs nothing but Python's own library.
"""

import argparse
import glob
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

DUCKDB = """
import duckdb, sys
duckdb.sql(f"set threads = {sys.argv[2]}")
duckdb.sql(f"select action, count(*), sum(bytes) from read_csv('{sys.argv[1]}', delim=' ', header=true, nullstr='-') group by 1").fetchall()
"""

POLARS = """
import polars, sys
scan = polars.scan_csv(sys.argv[1], separator=' ', null_values='-', infer_schema_length=10000, ignore_errors=True)
scan.group_by('action').agg(polars.len(), polars.col('bytes').sum()).collect()
"""


def timed(command, environment=None):
    """Wall seconds and peak memory (MiB) of a command and its children."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command[:4])} …: {errors.decode(errors='replace')}")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=4_000_000)
    parser.add_argument("--records-per-connection", type=int, default=4)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--ours", action="store_true", help="leave out other programs and --keep all")
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "tidegate-bench"))
    options = parser.parse_args()
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    program = os.path.join(target, "release", "tidegate")

    name = f"{options.records}-{options.records_per_connection}-{options.slots}"
    data = os.path.join(options.folder, name)
    if not os.path.exists(os.path.join(data, "totals.json")):
        shutil.rmtree(data, ignore_errors=True)
        subprocess.run(
            [program, "generate", data, "--profile", "bench", "--records", str(options.records), "--slots",
             str(options.slots), "--records-per-connection", str(options.records_per_connection)],
            check=True, stdout=subprocess.DEVNULL)
    logs = os.path.join(data, "logs")
    objects = sorted(glob.glob(os.path.join(logs, "**", "*.gz"), recursive=True))

    threads = str(options.threads)
    lake = os.path.join(options.folder, "lake")
    policy = os.path.join(ROOT, "policies", "sec-003.toml")
    scan = [program, "scan", logs, "--policy", policy, "--threads", threads]
    steps = {}
    if shutil.which("libdeflate-gunzip"):
        listing = os.path.join(options.folder, "objects")
        with open(listing, "w") as out:
            out.write("\n".join(objects))
        steps["gunzip alone"] = ["xargs", "-P", threads, "-n", "1", "-a", listing, "libdeflate-gunzip", "-c"]
    steps["scan"] = scan
    for keep in ["none", "flagged"] if options.ours else ["none", "flagged", "all"]:
        steps[f"scan --lake --keep {keep}"] = [*scan, "--lake", lake, "--keep", keep]
    pattern = os.path.join(logs, "**", "*.gz")
    if importlib.util.find_spec("duckdb") and not options.ours:
        steps["DuckDB: count and sum"] = [sys.executable, "-c", DUCKDB, pattern, threads]
    if importlib.util.find_spec("polars") and not options.ours:
        steps["Polars: count and sum"] = [sys.executable, "-c", POLARS, pattern]

    runs = {step: [] for step in steps}
    for _ in range(options.repeat):
        for step, command in steps.items():
            shutil.rmtree(lake, ignore_errors=True)
            runs[step].append(timed(command, {**os.environ, "POLARS_MAX_THREADS": threads}))
    best = {step: min(seconds for seconds, _ in found) for step, found in runs.items()}
    base = best.get("gunzip alone")
    print(f"{options.records:,} records, {len(objects)} objects, {sum(map(os.path.getsize, objects)) / 1e6:.0f} MB, {threads} threads")
    for step, found in runs.items():
        ratio = f"{best[step] / base:5.2f} x" if base else ""
        peaks = [memory for _, memory in found]
        print(f"{step:28} {best[step]:7.2f} s {ratio:8} {min(peaks):5.0f} {statistics.median(peaks):5.0f} {max(peaks):5.0f} MiB")


main()
