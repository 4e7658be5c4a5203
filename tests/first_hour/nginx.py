"""Runs a real nginx with the configuration of docs/nginx.md before a server.

    nginx.py SHOWREPORT DOCS FOLDER
"""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

HOST = "reports.example.com"
MIB = 1 << 20


def main():
    showreport, docs, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = folder / "data"
    printed(showreport, data, "org", "create", "acme")
    token = printed(showreport, data, "token", "create", "--org", "acme", "--scope", "collect,report")
    key = printed(showreport, data, "token", "create", "--org", "acme", "--scope", "collect")
    server = start(showreport, data)
    try:
        address = server.stdout.readline().removeprefix("listening on http://").strip()
        ports = free_ports(2)
        log = folder / "access.log"
        nginx = start_nginx(folder, configuration(docs, folder, address, ports, log))
        try:
            try_all(ports, token, key)
            assert " 413 " in log.read_text(), log.read_text()
            for file in log, folder / "error.log":
                shown = file.read_text()
                assert "sr_" not in shown and "downloads" not in shown, shown
        finally:
            nginx.terminate()
            nginx.wait()
    finally:
        server.kill()
        server.wait()
    print("nginx: large bodies, refusals, links, ranges and packing pass; the log holds no token and no link")


def try_all(ports, token, key):
    plain, secure = ports
    status, headers, _ = ask(http.client.HTTPConnection("127.0.0.1", plain), "GET", "/docs?a=b")
    assert (status, headers["location"]) == (301, f"https://{HOST}/docs?a=b"), headers
    signed_in = {"Authorization": f"Bearer {token}"}

    def tls(method, path, body=None, **headers):
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", secure, context=context)
        return ask(connection, method, path, body, {**signed_in, **headers})

    padding = "x" * 60_000
    record = json.dumps({"type": "event", "event_id": "keynote", "kind": "live", "title": "Keynote", "padding": padding})
    lines = (16 * MIB) // (len(record) + 1)
    status, _, body = tls("POST", "/collect", ((record + "\n") * lines).encode(), **{"Content-Type": "application/x-ndjson"})
    assert (status, json.loads(body)["accepted"]) == (202, lines), body
    status, headers, body = tls("POST", "/collect", ((record + "\n") * (lines + 1)).encode())
    assert status == 413 and headers["content-type"].startswith("application/json"), (status, body)
    watched = [{"type": "playback", "event_id": "keynote", "playback_id": f"tab-{number}", "customer_id": f"customer-{number}",
                "from": "2025-03-01T10:00:00Z", "to": "2025-03-01T10:30:00Z"} for number in range(2000)]
    status, _, body = tls("POST", f"/collect?key={key}", json.dumps(watched).encode(), Authorization="")
    assert status == 202, body
    order = {"id": "keynote", "type": "EVENT_TYPE_LIVE",
             "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []}]}
    form = {"Content-Type": "application/json"}
    _, _, body = tls("POST", "/bv/analytics/v1/events/reports", json.dumps(order).encode(), **form)
    report, until = json.loads(body)["reports"][0], time.monotonic() + 60
    while not report["uri"]:
        assert time.monotonic() < until, report
        time.sleep(0.2)
        wanted = json.dumps({"reports": [{"id": report["id"]}]}).encode()
        _, _, body = tls("POST", "/bv/analytics/v1/events/reports:batch-get", wanted, **form)
        report = json.loads(body)["reports"][0]
    assert report["uri"].startswith(f"https://{HOST}/"), report["uri"]
    path = report["uri"].removeprefix(f"https://{HOST}")
    status, whole, file = tls("GET", path)
    assert status == 200 and len(file) == report["size_bytes"] and "etag" in whole, whole
    status, _, part = tls("GET", path, Range="bytes=100-199")
    assert status == 206 and part == file[100:200], status
    status, packed, small = tls("GET", path, **{"Accept-Encoding": "gzip"})
    assert packed["content-encoding"] == "gzip" and len(small) < len(file), packed
    status, _, _ = tls("GET", path, **{"If-None-Match": whole["etag"]})
    assert status == 304, status
    status, _, _ = tls("GET", "/metrics")
    assert status == 404, status


def ask(connection, method, path, body=None, headers=None):
    given = {name: value for name, value in (headers or {}).items() if value}
    connection.request(method, path, body, {"Host": HOST, **given})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def configuration(docs, folder, address, ports, log):
    """The page's configuration, with what differs on this machine put in its place."""
    (text,) = re.findall(r"```nginx\n(.*?)```", (docs / "nginx.md").read_text(encoding="utf-8"), re.S)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL)
    there = f"/etc/letsencrypt/live/{HOST}"
    for mine, yours in [("127.0.0.1:8470", address), ("listen 80;", f"listen 127.0.0.1:{ports[0]};"),
                        ("listen 443 ssl;", f"listen 127.0.0.1:{ports[1]} ssl;"), (f"{there}/fullchain.pem", f"{folder}/cert.pem"),
                        (f"{there}/privkey.pem", f"{folder}/key.pem"), ("/var/log/nginx/showreport.log", str(log)),
                        ("/var/log/nginx/showreport-error.log", f"{folder}/error.log")]:
        assert text.count(mine) == 1, mine
        text = text.replace(mine, yours)
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""
    return f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log stderr crit;\nevents {{}}\nhttp {{\n{temporary}{text}\n}}\n"


def start_nginx(folder, text):
    file = folder / "nginx.conf"
    file.write_text(text)
    nginx = subprocess.Popen([shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-c", file.absolute(), "-e", "stderr"])
    until = time.monotonic() + 10
    while not (folder / "nginx.pid").exists():
        assert nginx.poll() is None and time.monotonic() < until, "nginx does not start"
        time.sleep(0.05)
    return nginx


def start(showreport, data):
    command = [showreport, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
               "--public-url", f"https://{HOST}", "--log-level", "error", "--data-dir", data]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def printed(showreport, data, *arguments):
    command = [showreport, *arguments, "--data-dir", data, "--log-level", "warn"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    main()
