"""Opens the lake and the reports of a show with readers of other projects.

    lake.py SHOWREPORT DATA_DIR

DATA_DIR is the data directory of `showreport demo --exit`. The four tables are opened with Delta Lake's
Python client and counted in Python. The result must be that of the demo's report files.
"""

import csv
import json
import subprocess
import sys
from collections import Counter
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow.parquet
from deltalake import DeltaTable

ORG, EVENT = "demo", "keynote-200"


def main():
    showreport, data = sys.argv[1], Path(sys.argv[2])
    tables = {name: facts(data, name) for name in ("spans", "chat", "polls", "votes")}
    reports = [read_csv(path) for path in sorted((data / "reports" / EVENT).glob("*.csv"))]
    views = report_with(reports, "started_at,ended_at,playback_id")
    check_views(tables["spans"], views)
    check_messages(tables["chat"], report_with(reports, "sent_at,message_id"))
    check_votes(tables["votes"], report_with(reports, "poll_id,question,voted_at"))
    check_polls(tables["polls"], report_with(reports, "poll_id,question,choice"))
    check_formats(showreport, data, views)


def facts(data, name):
    """The rows of a table that are about the show."""
    rows = DeltaTable(str(data / "store" / "lake" / name)).to_pyarrow_table().to_pylist()
    return [row for row in rows if row["org"] == ORG and row["event_id"] == EVENT]


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [{name: unguarded(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def unguarded(cell):
    """The exact text of a cell that is kept from running as a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in tuple("=+-@\t\r\n＝＋－＠") else cell


def report_with(reports, columns):
    """The one report whose columns begin with these."""
    found = [report for report in reports if report and ",".join(report[0]).startswith(columns)]
    assert len(found) == 1, f"{len(found)} reports begin with {columns}"
    return found[0]


def text(instant):
    """As reports print an instant."""
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03}Z"


def seconds(instant):
    return Decimal(round(instant.timestamp() * 1000)) / 1000


def union(spans):
    """The seconds in the union of half-open spans."""
    total, reached = Decimal(0), None
    for start, end in sorted(spans):
        start = start if reached is None else max(start, reached)
        if end > start:
            total, reached = total + seconds(end) - seconds(start), end
    return total


def least(rows, column):
    return min((row[column] for row in rows if row[column]), default="")


def check_views(spans, views):
    of_view = {}
    for span in spans:
        of_view.setdefault(span["playback_id"], []).append(span)
    assert len(of_view) == len(views), (len(of_view), len(views))
    for view in views:
        rows = of_view[view["playback_id"]]
        times = [(row["from_time"], row["to_time"]) for row in rows]
        assert Decimal(view["watch_seconds"]) == union(times), view
        assert view["started_at"] == text(min(start for start, _ in times)), view
        assert view["ended_at"] == text(max(end for _, end in times)), view
        for column in ("customer_id", "device_id", "device_os", "geo_region"):
            assert view[column] == least(rows, column), (column, view)
    print(f"{len(views)} views of {len(spans)} spans: the same seconds")


def check_messages(versions, messages):
    ids = {version["message_id"] for version in versions}
    assert ids == {message["message_id"] for message in messages} and len(ids) == len(messages)
    latest = {}
    for version in sorted(versions, key=lambda version: (version["updated_at"], version["deleted"], version["text"])):
        latest[version["message_id"]] = version
    for message in messages:
        version = latest[message["message_id"]]
        assert message["text"] == version["text"], message
        assert message["deleted"] == str(version["deleted"]).lower(), message
        assert message["sent_at"] == text(version["sent_at"]), message
    print(f"{len(messages)} messages of {len(versions)} versions: the same words")


def check_votes(votes, rows):
    different = {}
    for vote in votes:
        voter = ("customer", vote["customer_id"]) if vote["customer_id"] else ("device", vote["device_id"])
        key = (vote["poll_id"], voter, vote["voted_at"], vote["vote_id"], tuple(sorted(vote["option_ids"])))
        different.setdefault(key, []).append(vote)
    chosen = Counter(
        (poll, text(voted_at), least(same, "customer_id"), least(same, "device_id"), option)
        for (poll, _, voted_at, _, options), same in different.items()
        for option in options
    )
    assert chosen == Counter(
        (row["poll_id"], row["voted_at"], row["customer_id"], row["device_id"], row["option_id"]) for row in rows
    )
    print(f"{len(rows)} chosen options of {len(votes)} votes: the same choices")


def check_polls(versions, options):
    ids = {(version["poll_id"], option["id"]) for version in versions for option in version["options"]}
    assert {(option["poll_id"], option["option_id"]) for option in options} <= ids
    assert {version["poll_id"] for version in versions} == {option["poll_id"] for option in options}
    print(f"{len(options)} options of {len(versions)} versions of polls")


def check_formats(showreport, data, views):
    """Every format, opened by its usual reader, has the rows of the CSV file."""
    texts = [list(view.values()) for view in views]
    lines = make(showreport, data, "ndjson").read_text(encoding="utf-8").splitlines()
    assert [[shown(value) for value in json.loads(line, parse_float=Decimal).values()] for line in lines] == texts
    table = pyarrow.parquet.read_table(make(showreport, data, "parquet"))
    assert table.column_names == list(views[0])
    assert [[shown(value) for value in row.values()] for row in table.to_pylist()] == texts
    sheet = openpyxl.load_workbook(make(showreport, data, "xlsx")).active
    rows = [[shown(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    # The time zone of the demo's organisation is UTC.
    assert rows[0] == [f"{name} (UTC)" if name.endswith("_at") else name for name in views[0]]
    assert rows[1:] == texts, next(pair for pair in zip(rows[1:], texts) if pair[0] != pair[1])
    print(f"{len(texts)} rows in NDJSON, Parquet and XLSX: the same as in CSV")


def make(showreport, data, form):
    file = data / f"views.{form}"
    subprocess.run(
        [showreport, "report", "--org", ORG, "--event", EVENT, "--dimension", "watch-time",
         "--format", form, "--out", file, "--data-dir", data],
        check=True,
    )
    return file


def shown(value):
    """A value as the CSV file shows it."""
    match value:
        case None:
            return ""
        case datetime():
            return text(value if value.tzinfo else value.replace(tzinfo=timezone.utc))
        case Decimal() | float():
            return f"{value:.3f}"
        case _:
            return str(value)


if __name__ == "__main__":
    main()
