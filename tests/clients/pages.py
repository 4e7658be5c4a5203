"""Sends records from a page of another origin, in a browser.

    pages.py BROWSER BASE_URL KEY READER ORG

KEY has the scope to collect, READER the one to report. The page has another host and port than the
server. It sends in every way that pages can, each time a record of another event, and reports what it
could read of the responses. A page gets no response to a beacon, so the server is asked what arrived.
"""

import json
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import open_page

WAIT_S = 40


def main():
    browser, base, key, reader, org = sys.argv[1:]
    settings = json.dumps({"base": base, "key": key, "org": org})
    page = (Path(__file__).parent / "pages.html").read_text().replace("SETTINGS", settings)
    report = open_page(browser, page, WAIT_S)
    assert not report["problems"], "\n".join(report["problems"])
    sent = sorted(report["sent"])
    assert len(sent) >= 20, sent
    arrived = wait(base, reader, sent)
    assert arrived == sent, f"lost: {sorted(set(sent) - set(arrived))}"
    print(f"browser: {len(sent)} ways to send, from another origin")


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
