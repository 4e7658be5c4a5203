"""Google's client for Python, unchanged, against a server of ours.

    youtube.py BASE_URL TOKEN DAY REPORTS

DAY is a day that is settled, REPORTS how many a new job makes at first. The whole flow: create, list, get, download in every way that the client has, a restatement, delete.
"""

import hashlib
import io
import json
import sys
import time
import urllib.request
from datetime import datetime

from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload

TYPE = "event_customers_a1"


def main():
    base, token, day, count = sys.argv[1:]
    api = build(
        "youtubereporting", "v1", credentials=Credentials(token=token),
        client_options={"api_endpoint": base}, static_discovery=True, cache_discovery=False,
    )
    collect(base, token, day, "early")
    check_types(api)
    job = check_jobs(api)
    reports = wait(lambda: of(api, job, int(count)))
    check_reports(api, job, reports)
    report = next(report for report in reports if report["startTime"].startswith(day))
    check_downloads(api, report)
    check_restatement(api, base, token, day, job, report, reports)
    assert api.jobs().delete(jobId=job).execute() == {}
    assert refusal(api.jobs().get(jobId=job)) == 404
    assert api.jobs().list().execute() == {}
    print(f"Python: {len(reports)} reports and a restatement")


def check_types(api):
    first = api.reportTypes().list(pageSize=3, includeSystemManaged=True).execute()
    rest = api.reportTypes().list_next(api.reportTypes().list(pageSize=3), first)
    ids = [it["id"] for page in (first, rest.execute()) for it in page["reportTypes"]]
    assert len(ids) == 5 and TYPE in ids, ids
    assert api.reportTypes().list_next(rest, rest.execute()) is None


def check_jobs(api):
    assert api.jobs().list().execute() == {}
    # An address of more than 2,048 bytes goes as POST with x-http-method-override.
    assert api.jobs().list(onBehalfOfContentOwner="o" * 2100).execute() == {}
    body = {"reportTypeId": TYPE, "name": "from Python"}
    job = api.jobs().create(body=body).execute()
    assert job["name"] == "from Python" and job["reportTypeId"] == TYPE, job
    assert refusal(api.jobs().create(body=body)) == 409
    assert refusal(api.jobs().create(body={"reportTypeId": "channel_basic_a3", "name": "n"})) == 400
    assert api.jobs().get(jobId=job["id"]).execute()["createTime"] == job["createTime"]
    assert [it["id"] for it in api.jobs().list(onBehalfOfContentOwner="o" * 2100).execute()["jobs"]] == [job["id"]]
    return job["id"]


def check_reports(api, job, reports):
    times = [report["createTime"] for report in reports]
    # As times, not as texts: a whole second has no fraction.
    instants = [datetime.fromisoformat(time) for time in times]
    assert instants == sorted(set(instants), reverse=True), times
    paged, request = [], api.jobs().reports().list(jobId=job, pageSize=10)
    while request is not None:
        page = request.execute()
        paged += page.get("reports", [])
        request = api.jobs().reports().list_next(request, page)
    assert paged == reports, (paged, reports)
    assert api.jobs().reports().get(jobId=job, reportId=reports[0]["id"]).execute() == reports[0]
    newer = api.jobs().reports().list(jobId=job, createdAfter=times[3]).execute()["reports"]
    assert newer == reports[:3]
    assert api.jobs().reports().list(jobId=job, createdAfter=times[0]).execute() == {}


def check_downloads(api, report):
    whole = loaded(api, report, -1)  # as Google's sample: `Range: bytes=0--2`
    assert whole.startswith(b"date,event_id,event_type,customer_id,") and b",early," in whole, whole
    assert len(whole) == report["sizeBytes"] and hashlib.sha256(whole).hexdigest() == report["sha256"]
    assert whole.count(b"\n") == report["rowCount"] + 1
    assert loaded(api, report, 16) == whole
    assert loaded(api, report, 1 << 20) == whole
    name = report["downloadUrl"].split("/v1/media/")[1].split("?")[0]
    assert api.media().download_media(resourceName=name).execute() == whole
    assert refusal(api.media().download(resourceName=name)) == 400  # alt=json
    assert refusal(api.media().download_media(resourceName="orgs/rival/jobs/x/reports/1")) == 404


def check_restatement(api, base, token, day, job, report, reports):
    collect(base, token, day, "late")
    newest = reports[0]["createTime"]
    restated = wait(lambda: api.jobs().reports().list(jobId=job, createdAfter=newest).execute().get("reports"))
    assert len(restated) == 1, restated
    assert restated[0]["supersedes"] == report["id"] and restated[0]["id"] != report["id"]
    assert restated[0]["startTime"] == report["startTime"] and restated[0]["endTime"] == report["endTime"]
    assert b",late," in loaded(api, restated[0], -1)
    assert b",late," not in loaded(api, report, -1)


def of(api, job, count):
    reports = api.jobs().reports().list(jobId=job).execute().get("reports", [])
    assert len(reports) <= count, reports
    return reports if len(reports) == count else None


def loaded(api, report, chunk_bytes):
    request = api.media().download(resourceName="-")
    request.uri = report["downloadUrl"]
    file = io.BytesIO()
    loader, done = MediaIoBaseDownload(file, request, chunksize=chunk_bytes), False
    while not done:
        _, done = loader.next_chunk()
    return file.getvalue()


def refusal(request):
    try:
        request.execute()
    except HttpError as error:
        assert error.reason and error.error_details, error
        return error.status_code
    raise AssertionError("it was not refused")


def collect(base, token, day, customer):
    record = {"type": "playback", "event_id": "show", "playback_id": customer, "customer_id": customer,
              "from": f"{day}T12:00:00Z", "to": f"{day}T12:01:00Z"}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/collect", json.dumps(record).encode(), headers)
    assert urllib.request.urlopen(request).status == 202


def wait(look):
    for _ in range(240):
        found = look()
        if found:
            return found
        time.sleep(0.25)
    raise AssertionError("it did not come within a minute")


if __name__ == "__main__":
    main()
