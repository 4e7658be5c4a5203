"""A real browser and a page of another origin, against a server of ours.

    pages.py BROWSER BASE_URL KEY READER ORG

KEY may only collect, READER only read. The page lies at another host and port than the server; it sends
in every way that pages have, each time a record of another event, and says what it could read of the
answers. Beacons have no answer, so what arrived is asked of the server.
"""

import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

WAIT_S = 40


def main():
    browser, base, key, reader, org = sys.argv[1:]
    settings = json.dumps({"base": base, "key": key, "org": org})
    page = (Path(__file__).parent / "pages.html").read_text().replace("SETTINGS", settings)
    said = tell(browser, page.encode())
    assert not said["problems"], "\n".join(said["problems"])
    sent = sorted(said["sent"])
    assert len(sent) >= 20, sent
    arrived = wait(base, reader, sent)
    assert arrived == sent, f"lost: {sorted(set(sent) - set(arrived))}"
    print(f"browser: {len(sent)} ways to send, from another origin")


def tell(browser, page):
    """Opens the page in the browser; returns what the page says in the end."""
    said = []
    done = threading.Event()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page if self.path == "/" else b"")

        def do_POST(self):
            said.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={profile}",
                # Another host than the server's, and another port.
                f"http://localhost:{server.server_port}/",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        try:
            if not done.wait(WAIT_S):
                process.kill()
                sys.exit(f"the page said nothing for {WAIT_S} s: {process.stderr.read()[-2000:]}")
        finally:
            process.kill()
            process.wait()
    return said[0]


def wait(base, reader, sent):
    """The events that the server has, once it has as many as were sent, or after a while."""
    request = urllib.request.Request(f"{base}/api/v1/events?page_size=100")
    request.add_header("Authorization", f"Bearer {reader}")
    for _ in range(100):
        with urllib.request.urlopen(request) as answer:
            arrived = sorted(event["id"] for event in json.load(answer)["events"])
        if len(arrived) >= len(sent):
            break
        time.sleep(0.1)
    return arrived


main()
