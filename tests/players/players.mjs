// Plays in Chromium with each player, and compares the report with what the playhead did.
//
//     node players.mjs PRODUCT KEY READER FOLDER CHROMIUM [--short | TABLE]
//
// PRODUCT is the address of a server with `--collect-path /v`, KEY a token that collects, READER one
// that reads reports. FOLDER has `node_modules`. TABLE is a file for the table of docs/players.md.

import {mkdtempSync, rmSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

import {BEHAVIOUR} from "./behaviour.mjs";
import {CASES, SHORT_CASES, wait} from "./cases.mjs";
import {makeMedia, startLive} from "./media.mjs";
import {startRelay, startSite} from "./site.mjs";

const [product, key, reader, folder, chromium, mode] = process.argv.slice(2);
const {default: puppeteer} = await import(join(folder, "node_modules/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js"));

const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
];

const NAMES = {
  hls: "hls.js", dash: "dash.js", shaka: "Shaka Player", videojs: "video.js", element: "a bare element",
};

/** The pages of one case, in a browser with an empty profile, and what they really played. */
class Visit {
  constructor(browser, address, truths) {
    this.browser = browser;
    this.address = address;
    this.truths = truths;
    // By page as it was loaded: a reload begins at 0, a return from the cache does not.
    this.played = new Map();
  }

  async open({clock = 0} = {}) {
    const page = await this.browser.newPage();
    if (clock) {
      await page.evaluateOnNewDocument(clock => {
        const now = Date.now;
        Date.now = () => now() + clock;
      }, clock);
    }
    await page.goto(this.address);
    return page;
  }

  /** Reads the truth of a page that may be unable to send it when it ends. */
  async note(page) {
    const truth = await page.evaluate(() => truth);
    this.played.set(truth.page, truth.played);
  }

  async close(page) {
    await this.note(page);
    await page.close();
  }

  /** Opens a tab in front of the others. */
  async cover() {
    const page = await this.browser.newPage();
    await page.bringToFront();
    return page;
  }

  async kill(page) {
    await this.note(page);
    this.browser.process().kill("SIGKILL");
  }

  get truth() {
    let sum = 0;
    for (const [page, played] of this.played) sum += Math.max(played, this.truths.get(page) ?? 0);
    return sum;
  }
}

/** Milliseconds of the union of the spans of each view, or of each customer. */
function watched(records, group) {
  const views = new Map();
  for (const record of records) views.set(record[group], [...views.get(record[group]) ?? [], record]);
  let sum = 0;
  for (const spans of views.values()) {
    let until = 0;
    for (const {from, to} of spans.toSorted((a, b) => a.from - b.from)) {
      sum += Math.max(0, to - Math.max(from, until));
      until = Math.max(until, to);
    }
  }
  return sum;
}

async function figures(event) {
  const headers = {authorization: `Bearer ${reader}`};
  const answer = await fetch(`${product}/api/v1/events/${event}/figures?fresh=true`, {headers});
  if (!answer.ok) throw Error(`${event}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Calls a function with a browser that has an empty profile. */
async function withBrowser(use) {
  const profile = mkdtempSync(join(tmpdir(), "showreport-players-"));
  const options = {executablePath: chromium, args: ARGUMENTS, userDataDir: profile};
  const browser = await puppeteer.launch(options);
  try {
    return await use(browser);
  } finally {
    await browser.close().catch(() => {});
    rmSync(profile, {recursive: true, force: true});
  }
}

/** The address of a page with a player. */
function address(site, relay, more) {
  const asked = {player: "element", customer: "ada", key, script: `${relay.url}/showreport.js`, ...more};
  return `${site.url}/player.html?${new URLSearchParams(asked)}`;
}

function run({player, source, ...it}, number, site, relay) {
  const event = `case-${number}`;
  return withBrowser(async browser => {
    const began = Date.now();
    const visit = new Visit(browser, address(site, relay, {player, source, event}), site.truths);
    await it.run(visit);
    // The last beacon is sent while the tab closes.
    await wait(500);
    return check({player, ...it}, event, visit.truth, relay, {began, ended: Date.now()});
  });
}

/** Looks at what the script does beside measuring; whether all of it is right. */
async function behaves(site, relay) {
  let isRight = true;
  for (const [number, [name, test]] of Object.entries(BEHAVIOUR).entries()) {
    await withBrowser(async browser => {
      const event = `behaviour-${number}`;
      const open = async more => {
        const page = await browser.newPage();
        await page.goto(address(site, relay, {event, ...more}));
        await page.evaluate(() => ready.then(() => {}));
        return page;
      };
      const recordsOf = () => relay.records.filter(record => record.event_id == event);
      const page = await open();
      await test({page, open, relay, event, recordsOf}).then(
        () => console.log(`the script: ${name}`),
        error => {
          isRight = false;
          console.log(`the script: ${name}: FAILED: ${error.message}`);
        },
      );
      relay.refusal = null;
    });
  }
  return isRight;
}

/** Compares the truth, the records and the report. */
async function check(it, event, truth, relay, {began, ended}) {
  const records = relay.records.filter(record => record.event_id == event);
  const report = await figures(event);
  const problems = [];
  const reported = Math.round(report.watch_seconds * 1000);
  const attended = Math.round(report.attended_seconds * 1000);
  const [views, person] = [watched(records, "playback_id"), watched(records, "customer_id")];
  if (reported != views) problems.push(`the records say ${views} ms`);
  if (attended != person) problems.push(`${attended} ms attended, the records say ${person}`);
  const off = Math.round(reported - truth);
  if (!(off >= it.limits.least && off <= it.limits.most)) problems.push(`it is off by ${off} ms`);
  const early = Math.min(...records.map(record => record.from)) - began;
  const late = Math.max(...records.map(record => record.to)) - ended;
  if (early < -100 || late > 100) problems.push(`records lie ${-early} ms early, ${late} ms late`);
  if (report.viewers != 1) problems.push(`${report.viewers} viewers`);
  const line = `${NAMES[it.player]}: ${it.name}: ${reported} ms of ${Math.round(truth)} ms (${off})`;
  console.log(problems.length ? `${line}: ${problems.join("; ")}` : line);
  return {player: NAMES[it.player], name: it.name, truth, off, failed: problems.length > 0};
}

/**
 * Plays with a player that reports by itself (CMCD). The report has to equal what its lines say;
 * they are near the truth, but for what a player says late.
 */
function reports(player, site, relay) {
  const event = `cmcd-${player}`;
  const cmcd = `${relay.url}/collect/cmcd/${event}?key=${key}&customer=ada`;
  return withBrowser(async browser => {
    const visit = new Visit(browser, address(site, relay, {player, source: "vod", event, cmcd}), site.truths);
    const page = await visit.open();
    const call = name => page.evaluate(async name => (await ready)[name](), name);
    for (let round = 0; round < 2; round += 1) {
      await call("play");
      await wait(1_500);
      await call("pause");
      await wait(400);
    }
    await visit.close(page);
    const claimed = claims(relay.lines.filter(line => line.includes(`cid="${event}"`)));
    const report = await figures(event);
    const reported = Math.round(report.watch_seconds * 1000);
    const problems = [];
    if (reported != claimed) problems.push(`the lines say ${claimed} ms`);
    if (Math.abs(reported - visit.truth) > 500) problems.push("it is far off");
    if (report.viewers != 1) problems.push(`${report.viewers} viewers`);
    const line = `${NAMES[player]}: CMCD: ${reported} ms of ${Math.round(visit.truth)} ms`;
    console.log(problems.length ? `${line}: ${problems.join("; ")}` : line);
    return {failed: problems.length > 0};
  });
}

/** Milliseconds from each line that says `p` to the next. All lines are of one playback. */
function claims(lines) {
  const texts = ["sn", "ts", "sta"].map(name => new RegExp(`(?:^|,)${name}=([^,]*)`));
  const beats = lines.map(line => texts.map(text => text.exec(line)?.[1]));
  beats.sort((one, other) => one[0] - other[0]);
  let sum = 0;
  for (const [at, [, ts, state]] of beats.slice(0, -1).entries()) if (state == "p") sum += beats[at + 1][1] - ts;
  return sum;
}

function table(results) {
  const rows = results.map(({player, name, truth, off}) => {
    const played = Math.round(truth).toLocaleString("en");
    return `| ${name} | ${player} | ${played} | ${off > 0 ? "+" : ""}${off.toLocaleString("en").replace("-", "−")} |`;
  });
  return ["| case | player | played, ms | reported, ms off |", "|---|---|---|---|", ...rows, ""].join("\n");
}

makeMedia(join(folder, "media"));
const site = await startSite(folder);
const relay = await startRelay(product);
const isShort = mode == "--short";
const cases = isShort ? SHORT_CASES : CASES;
const stopLive = cases.some(it => it.source == "live") ? await startLive(join(folder, "live")) : () => {};
const results = [];
let isRight = false;
try {
  isRight = await behaves(site, relay);
  for (const player of ["hls", "dash"]) isRight = !(await reports(player, site, relay)).failed && isRight;
  for (const [number, it] of cases.entries()) results.push(await run(it, number, site, relay));
} finally {
  stopLive();
  site.close();
  relay.close();
}
if (mode && !isShort) writeFileSync(mode, table(results));
process.exit(isRight && !results.some(it => it.failed) ? 0 : 1);
