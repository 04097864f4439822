"""Answers the questions of the flights examples with sqlite, or in plain Python where event time decides.

    python3 flights_sqlite.py PROJECT hourly|sessions|late-hourly|late-rows

Each line that is printed is a line of the example's CSV output.
"""

import csv
import gzip
import io
import sqlite3
import sys
from datetime import datetime, timedelta, timezone

# Where the watermark of a file advances, in rows, and the delay of late.yaml.
POSITIONS = 1024
DELAY_MS = 2 * 3600 * 1000
HOUR_MS = 3600 * 1000


def flights(project):
    path = f"{project}/examples/flights/flights-2013-01.csv.gz"
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
            number = lambda name: None if row[name] == "NA" else int(row[name])
            text = lambda name: None if row[name] == "NA" else row[name]
            yield (
                int(at.timestamp() * 1000),
                number("dep_time"),
                number("dep_delay"),
                row["carrier"],
                text("tailnum"),
                row["origin"],
            )


def database(rows):
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE flights (at INT, dep_time INT, dep_delay INT, carrier TEXT, tailnum TEXT, origin TEXT)")
    base.executemany("INSERT INTO flights VALUES (?, ?, ?, ?, ?, ?)", rows)
    return base


def shown(ms):
    return (datetime(1970, 1, 1) + timedelta(milliseconds=ms)).strftime("%Y-%m-%d %H:%M:%S")


def out(rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if value is None else value for value in row])
    sys.stdout.write(text.getvalue())


HOURLY = """
    SELECT at, carrier, origin, COUNT(dep_time), SUM(dep_time IS NULL), AVG(dep_delay), MAX(dep_delay)
    FROM flights GROUP BY at, carrier, origin
"""

SESSIONS = """
    WITH steps AS (
      SELECT tailnum, at, at - LAG(at) OVER (PARTITION BY tailnum ORDER BY at) > 6 * 3600 * 1000 AS breaks
      FROM flights WHERE tailnum IS NOT NULL),
    numbered AS (
      SELECT tailnum, at, SUM(COALESCE(breaks, 0)) OVER (PARTITION BY tailnum ORDER BY at) AS session FROM steps)
    SELECT tailnum, MIN(at), MAX(at) + 6 * 3600 * 1000, COUNT(*) FROM numbered GROUP BY tailnum, session
"""


def hourly(base):
    out((shown(row[0]), *row[1:]) for row in base.execute(HOURLY))


def sessions(base):
    out((row[0], shown(row[1]), shown(row[2]), row[3]) for row in base.execute(SESSIONS))


def split_by_lateness(rows):
    """Rows on time and late ones, as a single reader sees them: the watermark moves at every 1,024th row."""
    on_time, late = [], []
    greatest, watermark = None, None
    for number, row in enumerate(rows):
        if number and number % POSITIONS == 0:
            watermark = greatest - DELAY_MS - 1
        end = row[0] - row[0] % HOUR_MS + HOUR_MS
        (late if watermark is not None and end - 1 <= watermark else on_time).append(row)
        greatest = row[0] if greatest is None else max(greatest, row[0])
    return on_time, late


def main(project, question):
    rows = list(flights(project))
    if question == "hourly":
        hourly(database(rows))
    elif question == "sessions":
        sessions(database(rows))
    elif question == "late-hourly":
        hourly(database(split_by_lateness(rows)[0]))
    elif question == "late-rows":
        out((f"{shown(row[0])}Z", *row[1:]) for row in split_by_lateness(rows)[1])


main(sys.argv[1], sys.argv[2])
