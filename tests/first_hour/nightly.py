"""Loads bulk reports as docs/nightly.md says, into PostgreSQL and DuckDB, and has a day restated in between.

    nightly.py SHOWREPORT DOCS FOLDER POSTGRES_BIN

Runs in an environment that has psycopg and duckdb. SHOWREPORT is a program with fail points, which hurries.
"""

import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import psycopg

TYPE = "event_customers_a1"
# Two days ago, which is closed in every zone.
DAY = (datetime.now(timezone.utc) - timedelta(days=2)).date()
QUESTION = "SELECT date::text, event_id, customer_id, views, watch_time_minutes FROM event_customers ORDER BY 1, 2, 3 NULLS FIRST"


def main():
    showreport, docs, folder, postgres = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (docs / "nightly.md").read_text(encoding="utf-8"), re.S)
    assert {name for name, _ in blocks} == {"bulk.py", "to_postgres.py", "to_duckdb.py"}, blocks
    for name, text in blocks:
        (folder / name).write_text(text, encoding="utf-8")
    with Server(showreport, folder / "data") as server, Cluster(postgres) as cluster:
        load = Load(server, folder, cluster)
        server.watch("ada", "10:00", "10:30")
        server.watch("=ada", "10:00", "10:10")
        server.order()
        server.wait_for_rows(2)
        load.both()
        assert load.rows() == [(str(DAY), "keynote", "=ada", 1, 10.0), (str(DAY), "keynote", "ada", 1, 30.0)], load.rows()
        # A late record makes the day dirty: new rows replace those before.
        server.watch("bob", "10:00", "10:05")
        server.wait_for_rows(3)
        assert "3 rows restated" in load.both()
        assert len(load.rows()) == 3 and load.rows() == server.day(), load.rows()
        assert "restated" not in load.both()
        assert load.rows() == server.day()
    print("days, a restated one and nothing new: the same rows in PostgreSQL and DuckDB")


class Load:
    """Both programs of the page, and what they have loaded."""

    def __init__(self, server, folder, cluster):
        self.server, self.folder = server, folder
        self.databases = {"to_postgres.py": cluster.address, "to_duckdb.py": str(folder / "warehouse.duckdb")}

    def both(self):
        """What the one that ran last printed; each prints a line a report."""
        for program, database in self.databases.items():
            environment = {**os.environ, "SR": self.server.address, "REPORT": self.server.token, "DATABASE": database}
            loaded = subprocess.run([sys.executable, program], cwd=self.folder, env=environment, check=True, capture_output=True, text=True)
        return loaded.stdout

    def rows(self):
        with psycopg.connect(self.databases["to_postgres.py"]) as db:
            in_postgres = db.execute(QUESTION).fetchall()
        with duckdb.connect(self.databases["to_duckdb.py"]) as db:
            in_duckdb = db.execute(QUESTION).fetchall()
        assert in_postgres == in_duckdb, f"{in_postgres} is not {in_duckdb}"
        return in_postgres


class Server:
    """A server that makes reports of an organisation's days."""

    def __init__(self, showreport, data):
        self.showreport, self.data = showreport, data

    def __enter__(self):
        self.printed("org", "create", "acme", "--time-zone", "Europe/Berlin")
        self.token = self.printed("token", "create", "--org", "acme", "--scope", "collect,report")
        command = [self.showreport, "serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir", self.data]
        # A dirty day is reported again ten seconds after its last late record, but not in this program.
        hurried = {**os.environ, "FAILPOINTS": "hurry=return"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=hurried)
        self.address = self.process.stdout.readline().removeprefix("listening on ").strip()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def printed(self, *arguments):
        command = [self.showreport, *arguments, "--data-dir", self.data, "--log-level", "warn"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def ask(self, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = body and json.dumps(body).encode()
        return json.load(urllib.request.urlopen(urllib.request.Request(self.address + path, body, headers)))

    def watch(self, customer, start, end):
        record = {"type": "playback", "event_id": "keynote", "playback_id": customer, "customer_id": customer,
                  "from": f"{DAY}T{start}:00Z", "to": f"{DAY}T{end}:00Z"}
        assert self.ask("/collect", [record])["accepted"] == 1

    def order(self):
        self.job = self.printed("job", "create", "--org", "acme", "--type", TYPE)

    def wait_for_rows(self, count):
        """Waits until a report has so many rows. Only one day has any."""
        until = time.monotonic() + 60
        while count not in {report["rowCount"] for report in self.ask(f"/v1/jobs/{self.job}/reports").get("reports", [])}:
            assert time.monotonic() < until, f"a report of {count} rows does not come"
            time.sleep(0.1)

    def day(self):
        file = self.printed("bulk", "--org", "acme", "--type", TYPE, "--day", str(DAY))
        rows = csv.DictReader(io.StringIO(file))
        texts = ((row["event_id"], re.sub("^'", "", row["customer_id"]), row) for row in rows)
        return sorted((str(DAY), event, customer, int(row["views"]), float(row["watch_time_minutes"])) for event, customer, row in texts)


class Cluster:
    """PostgreSQL on a port of its own."""

    def __init__(self, programs):
        self.programs = programs
        self.folder = Path(tempfile.gettempdir()) / f"showreport-nightly-{os.getpid()}"

    def __enter__(self):
        # The programs refuse to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder.mkdir()
        if self.user:
            shutil.chown(self.folder, self.user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.run("initdb", "--auth=trust", "--username=loader", "--no-sync", "--encoding=UTF8", "--locale=C")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -k {self.folder}"
        self.run("pg_ctl", "--wait", "--log", str(self.folder / "log"), "--options", options, "start")
        self.address = f"postgresql://loader@127.0.0.1:{port}/postgres"
        return self

    def __exit__(self, *_):
        self.run("pg_ctl", "--mode", "immediate", "stop")
        shutil.rmtree(self.folder)

    def run(self, program, *arguments):
        command = [self.programs / program, "--pgdata", self.folder / "cluster", *arguments]
        subprocess.run(command, check=True, user=self.user, cwd="/", stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
