// The media that the players play, made by ffmpeg: a minute as MP4, HLS and DASH, and a live HLS.

import {execFileSync, spawn} from "node:child_process";
import {existsSync, mkdirSync, renameSync, rmSync} from "node:fs";
import {join} from "node:path";

const QUIET = ["-hide_banner", "-loglevel", "error", "-y"];
const PICTURE = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=25"];
const SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];
// A key frame each second, so that segments can be cut there.
const CODECS = [
  "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-ac", "2",
];

/** Makes the files in a folder, once. */
export function makeMedia(folder) {
  if (existsSync(folder)) return;
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, {recursive: true, force: true});
  for (const part of ["hls", "dash"]) mkdirSync(join(unfinished, part), {recursive: true});
  const ffmpeg = (...words) => execFileSync("ffmpeg", [...QUIET, ...words], {cwd: unfinished});
  ffmpeg(...PICTURE, ...SOUND, ...CODECS, "-t", "60", "-movflags", "+faststart", "file.mp4");
  const copy = ["-i", "file.mp4", "-c", "copy"];
  ffmpeg(...copy, "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "hls/index.m3u8");
  ffmpeg(...copy, "-f", "dash", "-seg_duration", "2", "dash/index.mpd");
  renameSync(unfinished, folder);
}

/** Starts a live stream in a folder, with segments of a second. Returns what ends it. */
export async function startLive(folder) {
  rmSync(folder, {recursive: true, force: true});
  mkdirSync(folder, {recursive: true});
  const live = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "8", "-hls_flags", "delete_segments"];
  const words = [...QUIET, "-re", ...PICTURE, "-re", ...SOUND, ...CODECS, ...live, "index.m3u8"];
  const ffmpeg = spawn("ffmpeg", words, {cwd: folder, stdio: ["ignore", "ignore", "inherit"]});
  // Players need a few segments to begin.
  for (let tries = 0; !existsSync(join(folder, "index4.ts")); tries++) {
    if (tries > 300) throw Error("ffmpeg made no live stream in 30 s");
    await new Promise(done => setTimeout(done, 100));
  }
  return () => ffmpeg.kill("SIGKILL");
}
