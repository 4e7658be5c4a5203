"""Runs the demo in pseudo-terminals and looks at what is left on the screen.

    terminal.py SHOWREPORT [RUNS]

Progress bars come and go while it runs. When it is done only its text may stand there: no part of a bar, and no line that is
wider than 80 columns, in a terminal of 80 columns and in one of 140.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata

ROWS = 200
WIDTHS = (80, 140)
# The characters and words of a bar; a bar of a poll has full blocks only.
PART_OF_A_BAR = re.compile(r"░|█░|\d+ %|\bleft$|sending|making|fetching")
CONTROL = re.compile(rb"\x1b\[([?\d;]*)([A-Za-z])")


def main():
    showreport, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for width in WIDTHS:
        for run in range(runs):
            with tempfile.TemporaryDirectory() as data:
                demo = [showreport, "demo", "--exit", "--viewers", "10", "--listen", "127.0.0.1:0", "--data-dir", f"{data}/d"]
                for again in (False, True) if run == 0 else (False,):
                    look_at(screen(demo, width), width, again)
        print(f"{runs} runs in {width} columns: text alone")


def look_at(lines, width, again):
    text = "\n".join(lines)
    assert "Figures" in text and "Go on" in text, text
    for line in lines:
        assert not PART_OF_A_BAR.search(line), f"a bar stays in {width} columns: {line!r}\n{text}"
    # The length of the commands depends on the paths of the program and its data.
    for line in lines[:next(place for place, line in enumerate(lines) if line.startswith("Go on"))]:
        assert len(line) <= 80, f"{len(line)} columns: {line}"
    assert ("nothing was added" in text) == again, text


def screen(command, width):
    """The lines that stand on a terminal when the command has ended."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, width, 0, 0))
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env={**os.environ, "TERM": "xterm-256color"})
    os.close(end)
    written = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not part:
            break
        written += part
    os.close(terminal)
    assert process.wait() == 0, written.decode(errors="replace")
    return drawn(written, width)


def drawn(written, width):
    """What a terminal shows after these bytes: cursor movements, erasing and wrapping are followed."""
    lines, row, column = [[]], 0, 0
    place = 0
    while place < len(written):
        control = CONTROL.match(written, place)
        if control:
            place = control.end()
            count, what = control.group(1).decode(), control.group(2)
            number = int(count) if count.isdigit() else None
            if what == b"A":
                row = max(0, row - (number or 1))
            elif what == b"B":
                row += number or 1
            elif what == b"G":
                column = (number or 1) - 1
            elif what == b"K":
                erase(lines, row, column, number or 0)
            elif what == b"J":
                erase(lines, row, column, number or 0)
                del lines[row + 1:]
            else:
                assert what in b"mhl", f"an unknown control: {control.group(0)}"
        else:
            end = place + 1
            while end < len(written) and written[end] & 0xC0 == 0x80:
                end += 1
            character = written[place:end].decode()
            place = end
            if character == "\r":
                column = 0
            elif character == "\n":
                row += 1
            else:
                cells = 2 if unicodedata.east_asian_width(character) in "WF" else 1
                if column + cells > width:
                    row, column = row + 1, 0
                while len(lines) <= row:
                    lines.append([])
                line = lines[row]
                line.extend(" " * (column + 1 - len(line)))
                line[column] = character
                column += cells
        while len(lines) <= row:
            lines.append([])
    return ["".join(line).rstrip() for line in lines]


def erase(lines, row, column, how):
    while len(lines) <= row:
        lines.append([])
    if how == 0:
        del lines[row][column:]
    elif how == 2:
        lines[row].clear()
    else:
        lines[row][:column + 1] = " " * (column + 1)


if __name__ == "__main__":
    main()
