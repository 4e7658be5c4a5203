"""Runs the programs of docs/players.md that make a viewer token, and sends a record with each token
to a server that requires one.

    viewer_tokens.py SHOWREPORT DOCS FOLDER
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

# The language of a block, the name of its file, and the command that runs the file.
PROGRAMS = [
    ("js", "token.mjs", ["node"]),
    ("python", "token.py", [sys.executable]),
    ("php", "token.php", ["php"]),
    ("go", "token.go", ["go", "run"]),
]
# Programs of these must be there.
NEEDED = {"js", "python"}


def main():
    showreport, docs, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = folder / "data"
    printed(showreport, data, "org", "create", "acme")
    key = printed(showreport, data, "token", "create", "--org", "acme", "--scope", "collect")
    secret = printed(showreport, data, "token", "create", "--org", "acme", "--scope", "viewer")
    printed(showreport, data, "org", "set", "acme", "--require-viewer-tokens", "on")
    page = (docs / "players.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Viewer tokens\n(.*?)^## ", page, re.S | re.M)
    command = [showreport, "serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir", data]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    made = []
    try:
        address = server.stdout.readline().removeprefix("listening on ").strip()
        assert send(address, key, "none", None) == ["MISSING_VIEWER_TOKEN"]
        for language, name, runner in PROGRAMS:
            (program,) = re.findall(rf"```{language}\n(.*?)```", section, re.S)
            if shutil.which(runner[0]) is None:
                assert language not in NEEDED, f"{runner[0]} is not installed"
                continue
            (folder / name).write_text(program, encoding="utf-8")
            token = run([*runner, folder / name], secret)
            assert send(address, key, language, token) == [], language
            text, signature = token.rsplit(".", 1)
            other = f"{text}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
            assert send(address, key, language, other) == ["INVALID_VIEWER_TOKEN"], language
            made.append(language)
        messages = report(showreport, data)
    finally:
        server.kill()
        server.wait()
    assert messages == {language: ("ada", "Ada") for language in made}, messages
    print(f"viewer tokens made by {', '.join(made)} were accepted")


def send(address, key, message, token):
    """Sends a message as a page does; the reasons of rejection."""
    record = {"type": "chat", "event_id": "keynote", "message_id": message, "text": "hello"}
    record |= {"sent_at": int(time.time() * 1000)}
    if token is not None:
        record["viewer_token"] = token
    request = urllib.request.Request(f"{address}/collect?key={key}", json.dumps(record).encode())
    request.add_header("Content-Type", "text/plain")
    try:
        with urllib.request.urlopen(request) as response:
            body = json.load(response)
    except urllib.error.HTTPError as error:
        body = json.load(error)
    return [rejected["reason"] for rejected in body["rejected"]]


def report(showreport, data):
    """Customer and name of each message."""
    flags = ["--org", "acme", "--event", "keynote", "--dimension", "chat-histories", "--format", "ndjson"]
    rows = map(json.loads, printed(showreport, data, "report", *flags).splitlines())
    return {row["message_id"]: (row["customer_id"], row["name"]) for row in rows}


def run(command, secret):
    environment = {**os.environ, "VIEWER_SECRET": secret}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def printed(showreport, data, *arguments):
    command = [showreport, *arguments, "--data-dir", data, "--log-level", "warn"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
