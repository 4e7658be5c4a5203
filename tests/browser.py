"""Opens a page in Chromium and returns what the page reports."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0",
]


def open_page(chromium, page, within, stay=0.0):
    """Serves the page on a port of its own, opens it, and returns the JSON that it posts to this server.

    The page has WITHIN seconds. The browser stays open STAY seconds longer, for beacons of a page that
    was left.
    """
    reports, done = [], threading.Event()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode() if self.path == "/" else b"")

        def do_POST(self):
            reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *_):
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The host has another name than the server of the product.
        address = f"http://localhost:{site.server_port}/"
        command = [chromium, *ARGUMENTS, f"--user-data-dir={profile}", address]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            if not done.wait(within):
                browser.kill()
                sys.exit(f"the page reported nothing in {within} s: {browser.stderr.read()[-2000:]}")
            time.sleep(stay)
        finally:
            browser.kill()
            browser.wait()
            site.shutdown()
    return reports[0]
