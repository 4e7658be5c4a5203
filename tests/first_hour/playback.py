"""Runs the script of docs/playback.md in Chromium, on a page of another origin, and compares what
arrives with what was played.

    playback.py SHOWREPORT DOCS FOLDER CHROMIUM
"""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import open_page

# Two seconds, a pause, two seconds twice as fast, a seek, two seconds; then the page is left.
DRIVE = """
<!doctype html><meta charset="utf-8"><video></video>
SNIPPET
<script>
  const rate = 8000, seconds = 30, sound = new DataView(new ArrayBuffer(44 + rate * seconds));
  [..."RIFF    WAVEfmt "].forEach((letter, place) => sound.setUint8(place, letter.charCodeAt()));
  [..."data"].forEach((letter, place) => sound.setUint8(36 + place, letter.charCodeAt()));
  sound.setUint32(4, 36 + rate * seconds, true); sound.setUint32(16, 16, true); sound.setUint16(20, 1, true); sound.setUint16(22, 1, true);
  sound.setUint32(24, rate, true); sound.setUint32(28, rate, true); sound.setUint16(32, 1, true); sound.setUint16(34, 8, true);
  sound.setUint32(40, rate * seconds, true);
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  // The truth: the time between two looks was played if the playhead moved.
  let truth = 0, last = null;
  setInterval(() => {
    const now = {at: performance.now(), place: video.currentTime};
    const moved = last && now.place - last.place;
    if (moved > 0 && moved < 1) truth += now.at - last.at;
    last = now;
  }, 20);
  (async () => {
    video.src = URL.createObjectURL(new Blob([sound], {type: "audio/wav"}));
    await video.play(); await wait(2000);
    video.pause(); await wait(1000);
    video.playbackRate = 2; await video.play(); await wait(2000);
    video.playbackRate = 1; video.currentTime = 20; await wait(2000);
    await fetch("/done", {method: "POST", body: JSON.stringify({truth, playback: about.playback_id})});
    location = "about:blank";
  })();
</script>
"""


def main():
    showreport, docs, folder, chromium = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    data = folder / "data"
    printed(showreport, data, "org", "create", "acme")
    key = printed(showreport, data, "token", "create", "--org", "acme", "--scope", "collect")
    command = [showreport, "serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir", data]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().removeprefix("listening on ").strip()
        (snippet,) = re.findall(r"```html\n(.*?)```", (docs / "playback.md").read_text(encoding="utf-8"), re.S)
        assert len(snippet.splitlines()) <= 26, "it stays short"
        for mine, yours in [("https://reports.example.com", address), ("sr_…", key)]:
            assert snippet.count(mine) == 1, mine
            snippet = snippet.replace(mine, yours)
        report = open_page(chromium, DRIVE.replace("SNIPPET", snippet), within=60, stay=1)
        seconds = watched(showreport, data, report["playback"])
    finally:
        server.kill()
        server.wait()
    truth = report["truth"] / 1000
    assert truth > 4, f"{truth} s were played"
    # A page learns of a seek after it began, up to 250 ms after the last time update.
    assert -1 < seconds - truth < 0.5, f"{seconds} s arrived of {truth:.3f} s"
    print(f"a page in Chromium: {seconds} s arrived of {truth:.3f} s that were played")


def watched(showreport, data, playback):
    file = printed(showreport, data, "report", "--org", "acme", "--event", "keynote", "--dimension", "watch-time")
    (view,) = csv.DictReader(io.StringIO(file))
    assert (view["playback_id"], view["customer_id"]) == (playback, "ada"), view
    return float(view["watch_seconds"])


def printed(showreport, data, *arguments):
    command = [showreport, *arguments, "--data-dir", data, "--log-level", "warn"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
