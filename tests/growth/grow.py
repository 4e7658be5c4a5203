"""Puts as many events and finished reports into the database of a stopped server as years would.

Each report is a copy of the one that is there, a month old, its file gone. Every row has its checksum
(`crates/meta/src/database/sum.rs`), so the server finds nothing wrong with it.
"""

import sqlite3
import sys
import time
import zlib

ORG = "acme"
DAY_MS = 86_400_000
ABSENT = b"\0"


def text(value):
    content = value.encode()
    return b"\1" + len(content).to_bytes(8, "little") + content


def number(value):
    return b"\2" + value.to_bytes(8, "little", signed=True)


def checksum(*values):
    return zlib.crc32(b"".join(values))


def event(place):
    name = f"grown-{place}"
    return ORG, name, checksum(text("events"), text(ORG), text(name), ABSENT * 7)


def report(place, like, at):
    name = f"{at >> 16:08x}-{at & 0xFFFF:04x}-7000-8000-{place:012x}"
    event_id, ordered, journal_last = like
    sum_ = checksum(
        text("reports"), text(name), text(ORG), text(event_id), text(ordered), number(at), number(journal_last)
    )
    return name, ORG, event_id, ordered, at, at, at + 30 * DAY_MS, journal_last, sum_


def main(path, rows):
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    like = database.execute("SELECT event_id, ordered, journal_last FROM reports LIMIT 1").fetchone()
    at = int(time.time() * 1_000) - 40 * DAY_MS
    database.executemany("INSERT INTO events (org, event_id, sum) VALUES (?, ?, ?)", map(event, range(rows)))
    database.executemany(
        "INSERT INTO reports (id, org, event_id, ordered, status, progress_percent, created_at, finished_at,"
        " expires_at, journal_last, sum) VALUES (?, ?, ?, ?, 'succeeded', 100, ?, ?, ?, ?, ?)",
        (report(place, like, at + place) for place in range(rows)),
    )
    database.commit()
    database.close()


main(sys.argv[1], int(sys.argv[2]))
