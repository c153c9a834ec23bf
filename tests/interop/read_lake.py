"""Asks a lake the same of several engines and prints what each says, as JSON by engine, table and question.

    python read_lake.py LAKE STATEMENTS

STATEMENTS is what `tidegate sql --lake LAKE --ddl duckdb` prints. A question is a count, a sum, or counts by a word; all
engines must give the same numbers as `tidegate sql`.
"""

import json
import sys
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

# Table, a number to be summed, and a word to count by.
ASKED = [
    ("records", "bytes", "verdict"),
    ("records", "packets", "rule"),
    ("edges", "bytes_to_server", "verdict"),
    ("edges", "connections", "server_tier"),
    ("findings", "bytes", "severity"),
    ("objects", "records", "layout"),
]


def with_duckdb(statements):
    connection = duckdb.connect()
    connection.execute(statements)
    for table, number, word in ASKED:
        total = connection.execute(f'select count(*), sum("{number}") from "{table}"').fetchone()
        by = connection.execute(f'select "{word}", count(*) from "{table}" group by 1').fetchall()
        yield table, number, word, total[0], total[1], by
    # The lake has no such files: a view without rows.
    assert connection.execute("select count(*), max(line) from quarantine").fetchone() == (0, None)


def with_polars(lake):
    for table, number, word in ASKED:
        rows = pl.scan_parquet(f"{lake}/{table}/**/*.parquet", hive_partitioning=True)
        total = rows.select(pl.len(), pl.col(number).sum()).collect().row(0)
        by = rows.group_by(word).len().collect().rows()
        yield table, number, word, total[0], total[1], by


def with_pyarrow(lake):
    for table, number, word in ASKED:
        rows = ds.dataset(f"{lake}/{table}", partitioning="hive").to_table(columns=[number, word])
        by = rows.group_by(word).aggregate([([], "count_all")]).to_pylist()
        by = [(row[word], row["count_all"]) for row in by]
        yield table, number, word, rows.num_rows, pc.sum(rows[number]).as_py(), by


def told(answers):
    """By question: how many rows, the sum, and the counts by word, null as the empty text."""
    return {
        f"{table}.{number}.{word}": [count, int(total or 0), sorted([key or "", many] for key, many in by)]
        for table, number, word, count, total, by in answers
    }


def main():
    lake, statements = Path(sys.argv[1]), Path(sys.argv[2]).read_text()
    engines = {"duckdb": with_duckdb(statements), "polars": with_polars(lake), "pyarrow": with_pyarrow(lake)}
    print(json.dumps({name: told(answers) for name, answers in engines.items()}))


main()
