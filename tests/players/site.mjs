// Two servers of another origin than each other: one has the pages, players and media; the other
// stands between the pages and the product, and remembers which records were accepted.

import {createServer, request} from "node:http";
import {createReadStream, existsSync, readFileSync} from "node:fs";
import {extname, join, normalize} from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".m3u8": "application/vnd.apple.mpegurl",
  ".m4s": "video/iso.segment",
  ".mp4": "video/mp4",
  ".mpd": "application/dash+xml",
  ".ts": "video/mp2t",
};

const listen = server => new Promise(done => {
  server.listen(0, "127.0.0.1", () => done(server.address().port));
});

/**
 * Serves `/player.html`, `/media/…` and the players as they are on npm below `/npm/…`. Keeps the
 * truths that pages send when they end.
 *
 * @param {string} folder has `media`, `live` and `node_modules`
 */
export async function startSite(folder) {
  const page = readFileSync(new URL("player.html", import.meta.url));
  const truths = new Map();
  const server = createServer((asked, response) => {
    const {pathname} = new URL(asked.url, "http://site");
    if (pathname == "/truth") {
      asked.on("data", text => {
        const {page, played} = JSON.parse(text);
        truths.set(page, played);
      });
      return response.end();
    }
    response.setHeader("cache-control", "no-store");
    if (pathname == "/player.html" || pathname == "/elsewhere.html") {
      response.setHeader("content-type", TYPES[".html"]);
      response.setHeader("cache-control", "max-age=60");
      return response.end(pathname == "/player.html" ? page : "<!doctype html><title>elsewhere</title>");
    }
    const path = normalize(pathname).replace(/^\/npm\//, "/node_modules/");
    const file = join(folder, path);
    if (!/^\/(media|live|node_modules)\//.test(path) || !existsSync(file)) {
      response.statusCode = 404;
      return response.end();
    }
    sendFile(file, asked, response);
  });
  return {url: `http://localhost:${await listen(server)}`, truths, close: () => server.close()};
}

/** A bare element asks for ranges, and seeks only where they are served. */
function sendFile(file, asked, response) {
  response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
  const size = readFileSync(file).length;
  const range = /^bytes=(\d+)-(\d*)$/.exec(asked.headers.range ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Number(range[2]) : size - 1;
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("content-length", end - start + 1);
  if (range) {
    response.statusCode = 206;
    response.setHeader("content-range", `bytes ${start}-${end}/${size}`);
  }
  createReadStream(file, {start, end}).on("error", () => response.destroy()).pipe(response);
}

/**
 * Passes everything on to the product, and keeps the records and the lines of CMCD that it
 * accepted. With a `refusal` it answers records itself.
 *
 * @param {string} product its address
 */
export async function startRelay(product) {
  const records = [];
  const relay = {records, requests: [], lines: [], refusal: null};
  const server = createServer((asked, response) => {
    const parts = [];
    asked.on("data", part => parts.push(part));
    asked.on("end", () => {
      const body = Buffer.concat(parts);
      const {method, headers, url} = asked;
      const isCmcd = url.includes("/cmcd/");
      if (method == "POST" && !isCmcd) relay.requests.push({at: Date.now(), url});
      if (method == "POST" && relay.refusal) {
        const cors = {"access-control-allow-origin": "*", "access-control-expose-headers": "retry-after"};
        response.writeHead(relay.refusal.status, {...cors, ...relay.refusal.headers});
        return response.end();
      }
      const passed = request(product + url, {method, headers}, answer => {
        if (answer.statusCode == 202) {
          const sent = JSON.parse(body);
          const rejected = [];
          answer.on("data", part => rejected.push(part));
          answer.on("end", () => {
            const indices = JSON.parse(Buffer.concat(rejected)).rejected.map(it => it.index);
            records.push(...sent.filter((_, index) => !indices.includes(index)));
            if (indices.length) console.error("rejected:", Buffer.concat(rejected).toString());
          });
        } else if (isCmcd && answer.statusCode == 204) {
          relay.lines.push(...body.toString().split("\n").filter(line => line.trim()));
        } else if (method == "POST") {
          console.error(`the product answered ${answer.statusCode} to ${body}`);
        }
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      passed.on("error", () => response.destroy());
      passed.end(body);
    });
  });
  return Object.assign(relay, {url: `http://127.0.0.1:${await listen(server)}`, close: () => server.close()});
}
