"""Reads a report's CSV files with Python's own reader and compares every cell with what was sent.

    csv_cells.py SENT COLUMNS RAW GUARDED EXCEL

SENT is NDJSON: for each row a list of texts, in the order of the rows. COLUMNS names their columns, with
commas between. RAW, GUARDED and EXCEL are the three variants of one report. Prints how many cells were
compared, how many of them are guarded, and how many began with a guard when they were sent.
"""

import csv
import json
import re
import sys

TRIGGERS = tuple("=+-@\t\r\n＝＋－＠")
# The cells of columns without text.
FIGURE = re.compile(r"|true|false|\d+(\.\d+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|viewer|guest|admin")


def main():
    sent, columns, raw, guarded, excel = sys.argv[1:]
    columns = columns.split(",")
    with open(guarded, "rb") as plain, open(excel, "rb") as marked:
        assert marked.read() == b"\xef\xbb\xbf" + plain.read(), "the file for Excel is another than the guarded one"
    cells = guards = ambiguous = 0
    with open(sent, encoding="utf-8") as lines:
        for line, exact, safe in zip(lines, rows(raw), rows(guarded), strict=True):
            for column, text in zip(columns, json.loads(line), strict=True):
                exact_cell, safe_cell = exact.pop(column), safe.pop(column)
                assert exact_cell == text, f"{column}: {text!r} became {exact_cell!r}"
                assert not safe_cell.startswith(TRIGGERS), f"{column}: a spreadsheet runs {safe_cell!r}"
                is_guarded = text.startswith(TRIGGERS)
                assert safe_cell == ("'" + text if is_guarded else text), f"{column}: {text!r} became {safe_cell!r}"
                has_own_guard = text.startswith("'") and text[1:].startswith(TRIGGERS)
                assert unguarded(safe_cell) == text or has_own_guard, f"{column}: {safe_cell!r} is not {text!r} again"
                cells += 1
                guards += is_guarded
                ambiguous += has_own_guard
            assert exact == safe, f"{exact} became {safe}"
            for column, figure in safe.items():
                assert FIGURE.fullmatch(figure), f"{column}: {figure!r} is no figure"
    print(cells, guards, ambiguous)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, strict=True)


def unguarded(cell):
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(TRIGGERS) else cell


if __name__ == "__main__":
    main()
