"""Opens the spreadsheets of reports in LibreOffice and compares every cell with the same report as NDJSON.

    office.py SHOWREPORT SOFFICE FOLDER

FOLDER is made anew. Dates must be dates of the organisation's zone, figures numbers, and texts texts,
whatever they begin with. Names and widths of columns, the filter and the sheet `about` are checked too.
The frozen header is not: without a window LibreOffice does not keep it.
"""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from datetime import datetime, timedelta
from pathlib import Path

ORG, EVENT, ZONE = "acme", "keynote", "Europe/Berlin"
DIMENSIONS = ("watch-time", "chat-histories", "poll-summaries", "poll-votes")
GROUPED = "watch-timestamp,customer-id,device-os"
# The hour that Berlin has twice, and the ends of its summer time.
SUMMER = (datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1))
TEXTS = ("=1+1", "+1", "-1", "@SUM(A1)", "1e5", "007", "12/11/10", "TRUE", "2026-10-25", "_x0041_", "  spaces  ", "日本語", "😀", "＝1+1",
         "line\nbreak", "tab\there", "return\rhere", "\x01", "'quoted'", "a" * 300)
OFFICE, TABLE, TEXT, STYLE = (
    "{urn:oasis:names:tc:opendocument:xmlns:" + name + ":1.0}" for name in ("office", "table", "text", "style")
)


def main():
    showreport, soffice, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = folder / "data"
    run(showreport, "org", "create", ORG, "--time-zone", ZONE, "--data-dir", data)
    (folder / "records.ndjson").write_text("\n".join(json.dumps(record) for record in records()), encoding="utf-8")
    run(showreport, "import", folder / "records.ndjson", "--org", ORG, "--data-dir", data)
    names = []
    for dimension in DIMENSIONS:
        for grouping in ((), ("--group-by", GROUPED)):
            name = f"{dimension}{len(grouping)}"
            for form in ("xlsx", "ndjson"):
                run(showreport, "report", "--org", ORG, "--event", EVENT, "--dimension", dimension, *grouping,
                    "--from", "2026-03-01T00:00:00Z", "--out", folder / f"{name}.{form}", "--format", form, "--data-dir", data)
            names.append(name)
    # One start for all files, with a profile of its own.
    run(soffice, f"-env:UserInstallation={(folder / 'profile').resolve().as_uri()}", "--headless", "--convert-to", "fods",
        "--outdir", folder, *(folder / f"{name}.xlsx" for name in names))
    cells = sum(check(folder, name) for name in names)
    check_controls(folder, names)
    print(f"{cells} cells of {len(names)} spreadsheets: the same as in NDJSON, {len(names)} sheets about them")


def run(*words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 0, f"{words[0]} ended with {done.returncode}: {done.stdout.decode(errors='replace')}"


def records():
    yield {"type": "event", "event_id": EVENT, "kind": "live", "title": "=Keynote, „2026“"}
    poll = {"type": "poll", "event_id": EVENT, "poll_id": "+q", "question": "=why?", "choice": "single", "status": "closed",
            "options": [{"id": "a", "text": "@yes", "correct": True}, {"id": "b", "text": "-no"}]}
    yield poll | {"started_at": "2026-10-25T00:59:59.999Z", "ended_at": "2026-10-25T01:00:00Z"}
    for number, text in enumerate(TEXTS):
        # From summer to winter in steps of some hours and an odd millisecond.
        at = datetime(2026, 10, 24, 20) + timedelta(minutes=47 * number, milliseconds=123 * number)
        person = {"event_id": EVENT, "customer_id": f"={number}", "device_id": f"d{number}", "device_os": "-os", "name": "+name"}
        until = at + timedelta(seconds=number, milliseconds=1)
        yield person | {"type": "playback", "playback_id": f"p{number}", "from": rfc3339(at), "to": rfc3339(until)}
        yield person | {"type": "chat", "message_id": f"m{number}", "sent_at": rfc3339(at), "text": text}
        yield person | {"type": "vote", "poll_id": "+q", "option_ids": ["ab"[number % 2]], "voted_at": rfc3339(at)}
    yield {"type": "chat", "event_id": EVENT, "message_id": "spring", "sent_at": "2026-03-29T01:00:00.500Z", "text": "summer begins"}


def check(folder, name, clock=None):
    clock = clock or berlin
    root = xml.parse(folder / f"{name}.fods").getroot()
    sheets = {sheet.get(TABLE + "name"): sheet for sheet in root.iter(TABLE + "table")}
    assert list(sheets) == ["report", "about"], list(sheets)
    header, *rows = rows_of(sheets["report"])
    with open(folder / f"{name}.ndjson", encoding="utf-8") as lines:
        expected = [json.loads(line) for line in lines]
    assert expected and len(rows) == len(expected), f"{name}: {len(rows)} rows instead of {len(expected)}"
    columns = list(expected[0])
    is_time = [column.endswith("_at") or column == "watch_timestamp" for column in columns]
    titles = [f"{column} ({ZONE})" if time else column for column, time in zip(columns, is_time)]
    assert [value for _, value in header] == [plain(title) for title in titles], f"{name}: {header}"
    for row, wanted in zip(rows, expected):
        row += [("none", None)] * (len(columns) - len(row))
        for time, cell, (column, value) in zip(is_time, row, wanted.items(), strict=True):
            assert cell == cell_of(value, time, clock), f"{name}, {column}: {value!r} became {cell}"
    check_looks(root, sheets["report"], name, (len(rows), is_time))
    check_about(sheets["about"], name, titles, len(rows))
    return len(rows) * len(columns)


def cell_of(value, is_time, clock):
    """The kind and the value that a cell must have."""
    match value:
        case None | "":
            return "none", None
        case bool():
            return "number", float(value)
        case int() | float():
            return "number", float(value)
        case _ if is_time:
            return "date", clock(datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ"))
        case _:
            return "text", plain(value)


def rows_of(sheet):
    """The kind and value of each cell of a sheet, without empty rows and cells at the ends."""
    rows = []
    for row in sheet.iter(TABLE + "table-row"):
        cells = []
        for cell in row.iter(TABLE + "table-cell"):
            times = int(cell.get(TABLE + "number-columns-repeated", 1))
            cells += [value_of(cell)] * (times if times < 1000 else 0)
        while cells and cells[-1][0] == "none":
            cells.pop()
        rows.append(cells)
    while rows and not rows[-1]:
        rows.pop()
    return rows


def value_of(cell):
    match cell.get(OFFICE + "value-type"):
        case None:
            return "none", None
        case "float":
            return "number", float(cell.get(OFFICE + "value"))
        case "boolean":
            return "number", float(cell.get(OFFICE + "boolean-value") == "true")
        case "date":
            # The value has hundredths of a second, the shown text thousandths.
            shown = datetime.strptime(cell.find(TEXT + "p").text, "%Y-%m-%d %H:%M:%S.%f")
            value = datetime.fromisoformat(cell.get(OFFICE + "date-value")[:19])
            assert timedelta(0) <= shown - value < timedelta(seconds=1), f"{value} is shown as {shown}"
            return "date", shown
        case "string":
            paragraphs = cell.findall(TEXT + "p")
            return "text", plain("\n".join("".join(spelled(part)) for part in paragraphs))
        case kind:
            return kind, None


def spelled(paragraph):
    """The text of a paragraph, in which repeated spaces and tabs are elements."""
    yield paragraph.text or ""
    for part in paragraph:
        yield " " * int(part.get(TEXT + "c", 1)) if part.tag == TEXT + "s" else "".join(spelled(part))
        yield part.tail or ""


def plain(text):
    """A text without spaces and control characters, which LibreOffice's file format does not keep."""
    return re.sub(r"[\s\x00-\x1f]+", "", text)


def check_looks(root, sheet, name, shape):
    rows, is_time = shape
    ranges = [it for it in root.iter(TABLE + "database-range") if it.get(TABLE + "display-filter-buttons") == "true"]
    last = chr(ord("A") + len(is_time) - 1)
    target = f"report.A1:report.{last}{rows + 1}"
    assert [it.get(TABLE + "target-range-address").replace("$", "") for it in ranges] == [target], f"{name} has no filter"
    styles = {style.get(STYLE + "name"): style for style in root.iter(STYLE + "style")}
    widths = []
    for column in sheet.iter(TABLE + "table-column"):
        properties = styles[column.get(TABLE + "style-name")].find(STYLE + "table-column-properties")
        width = float(properties.get(STYLE + "column-width").removesuffix("in"))
        widths += [width] * min(int(column.get(TABLE + "number-columns-repeated", 1)), len(is_time))
    narrow = [width for width, time in zip(widths, is_time) if time and width < 1.5]
    assert not narrow, f"{name}: dates do not fit into {narrow} inches"


def check_about(sheet, name, titles, count):
    rows = [[value for _, value in row] for row in rows_of(sheet)]
    about = {row[0]: row[1] for row in rows if len(row) == 2}
    said = {"event": EVENT, "dimension": name[:-1], "timezoneofalldates": ZONE, "rows": float(count), "title": "=Keynote,„2026“",
            "filter:from,included": datetime(2026, 3, 1, 1), "filter:until,leftout": "nobound"}
    for label, value in said.items():
        assert about.get(label) == value, f"{name}: {label} is {about.get(label)!r}, not {value!r}"
    for title in titles:
        assert len(about.get(plain(title), "")) > 5, f"{name}: {title} is not explained"


def berlin(utc):
    return utc + timedelta(hours=2 if SUMMER[0] <= utc < SUMMER[1] else 1)


def rfc3339(utc):
    return utc.isoformat(timespec="milliseconds") + "Z"


def check_controls(folder, names):
    """Other dates, and another text, must be noticed."""
    try:
        check(folder, names[0], lambda utc: utc)
    except AssertionError:
        pass
    else:
        sys.exit("dates in another zone were not noticed")
    file = folder / f"{names[0]}.ndjson"
    file.write_text(file.read_text(encoding="utf-8").replace('"-os"', '"os"', 1), encoding="utf-8")
    try:
        check(folder, names[0])
    except AssertionError:
        return
    sys.exit("another text went unnoticed")


if __name__ == "__main__":
    main()
