"""Prints what the flights example has computed as tables that a person can read."""

import csv
import pathlib
import sys


def rows(folder):
    for part in sorted(pathlib.Path(folder).glob("part-*")):
        with open(part, newline="", encoding="utf-8") as file:
            yield from csv.reader(file)


def table(title, names, lines):
    texts = [names] + [[str(value) for value in line] for line in lines]
    widths = [max(len(line[at]) for line in texts) for at in range(len(names))]
    print(f"\n{title}")
    for number, line in enumerate(texts):
        print("  " + "  ".join(text.rjust(width) for text, width in zip(line, widths)))
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))


def main(out):
    hourly = list(rows(f"{out}/hourly"))
    busiest = sorted(hourly, key=lambda row: (-int(row[3]), row[0], row[1], row[2]))[:12]
    table(
        f"The busiest of {len(hourly):,} hours (per carrier and origin, by scheduled hour)",
        ["hour (UTC)", "carrier", "origin", "departures", "cancelled", "average delay", "worst delay"],
        [row[:5] + [f"{float(row[5]):.1f} min" if row[5] else "", f"{row[6]} min" if row[6] else ""] for row in busiest],
    )
    sessions = list(rows(f"{out}/sessions"))
    longest = sorted(sessions, key=lambda row: (-int(row[3]), row[0], row[1]))[:8]
    table(
        f"The longest of {len(sessions):,} working days of aircraft (sessions with a gap of 6 hours)",
        ["aircraft", "first flight", "end", "flights"],
        longest,
    )


main(sys.argv[1])
