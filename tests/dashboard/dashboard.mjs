// Opens every page of the dashboard in Chromium, and does what people do there.
//
//     node dashboard.mjs PRODUCT LINK TOKEN FOLDER CHROMIUM
//
// PRODUCT is the address of a server with the show of the demo, LINK the one that the demo printed, which signs in,
// TOKEN one with the scope `admin`. FOLDER has `node_modules`; pictures of each page stay in its `pages`.

import {execFileSync} from "node:child_process";
import {mkdirSync, rmSync} from "node:fs";
import {join} from "node:path";

import {openContext, startBrowser} from "./browser.mjs";
import {MOVING, compare, figuresOf} from "./figures.mjs";
import {Looks} from "./looks.mjs";
import {pagesOf} from "./pages.mjs";
import * as tasks from "./tasks.mjs";

const [product, link, token, folder, chromium] = process.argv.slice(2);
const headers = {authorization: `Bearer ${token}`};

async function get(path) {
  const answer = await fetch(product + path, {headers});
  if (!answer.ok) throw Error(`${path} answers ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function post(path, body, type = "application/json") {
  const answer = await fetch(product + path, {method: "POST", headers: {...headers, "content-type": type}, body});
  if (!answer.ok) throw Error(`${path} answers ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const send = records => post("/collect", records.map(record => JSON.stringify(record)).join("\n"), "application/x-ndjson");

/** Problems that are printed of a part. One fault may be in every row. */
const SHOWN_MAX = 12;

let isRight = true;

/** Runs one part and prints its line. `work` gives problems, or a note. */
async function part(name, work) {
  const begun = Date.now();
  const found = await work().catch(error => [error.message.split("\n")[0]]);
  const problems = Array.isArray(found) ? found : [];
  const note = typeof found == "string" ? `, ${found}` : "";
  console.log(`${name}: ${problems.length ? "FAILED" : "right"}${note} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  for (const problem of [...new Set(problems)].slice(0, SHOWN_MAX)) console.log(`    ${problem}`);
  if (problems.length) isRight = false;
}

/** A page in every form, with its figures and its links. */
async function open(page, {path, name, status = 200, source, sheets}, opened) {
  const response = await page.goto(path);
  const problems = [];
  if (response.status() != status) problems.push(`it answers ${response.status()}, and not ${status}`);
  const html = await response.text();
  const figures = await figuresOf(page);
  const compared = figures.filter(figure => !(source?.(figure).isOfFile));
  problems.push(...await compare(compared, get, source));
  opened.push({path, figures, name});
  problems.push(...await looks.at(page, html, name, sheets));
  return problems;
}

/** Every link of the pages leads to something. */
async function follow(page, links) {
  const problems = [];
  for (const [path, from] of links) {
    const answer = await page.request.get(path);
    if (!answer.ok()) problems.push(`${path} on the page "${from}" answers ${answer.status()}`);
  }
  return problems.length || links.size ? problems : ["the pages have no links"];
}

/** The links of a page to this server. Of those that differ in an id alone, one is enough. */
async function linksOf(page, name, links, kinds) {
  const hrefs = await page.$$eval("a[href]:not([href^='#'])", links => links.map(link => link.href));
  for (const href of hrefs) {
    const url = new URL(href);
    const path = url.pathname.replace(/\/events\/[^/]+/, "/events/…").replace(/[0-9a-f-]{36}/g, "…");
    const kind = [path, ...url.searchParams.keys(), url.searchParams.get("by")].join(" ");
    if (url.origin != product || kinds.has(kind)) continue;
    kinds.add(kind);
    links.set(url.pathname + url.search, name);
  }
}

/** The commands that a page has beside its tables. */
function commandsOf(page) {
  return page.$$eval("details pre", texts => texts.map(it => it.textContent).filter(it => it.startsWith("curl ")));
}

/** Every command gets an answer. */
function runCommands(commands) {
  const problems = [];
  for (const command of commands) {
    const line = command.replace("curl ", "curl --silent --show-error --fail --output /dev/null ");
    try {
      execFileSync("sh", ["-c", line], {env: {...process.env, TOKEN: token}, stdio: "pipe"});
    } catch (error) {
      problems.push(`${command}: ${error.stderr.toString().trim()}`);
    }
  }
  return commands.size ? problems : ["the pages have no commands"];
}

/** Without scripts a page says the same. */
async function readPlain(page, {path, figures}) {
  await page.goto(path);
  const plain = await figuresOf(page);
  const text = it => [it.name, it.row, it.value, it.text].join("|");
  const texts = list => list.filter(it => !MOVING.has(it.name)).map(text).join("\n");
  return texts(plain) == texts(figures) ? [] : ["without scripts the figures are others"];
}

async function startedJob() {
  const {id} = await post("/v1/jobs", JSON.stringify({reportTypeId: "event_customers_a1", name: "attendance"}));
  for (let round = 0; round < 300; round += 1) {
    if ((await get(`/v1/jobs/${id}/reports`)).reports?.length) return id;
    await new Promise(resolve => { setTimeout(resolve, 100); });
  }
  throw Error("the job makes no report");
}

rmSync(join(folder, "pages"), {recursive: true, force: true});
mkdirSync(join(folder, "pages"), {recursive: true});
const looks = new Looks(folder);
const show = new URL(link).searchParams.get("next").split("/")[2];
const {events} = await get("/api/v1/events");
const recording = events.find(event => event.kind == "vod").id;
const poll = (await get(`/api/v1/events/${show}/polls`)).rows[0].poll_id;
const report = (await get("/api/v1/reports")).reports[0].id;
const job = await startedJob();
const browser = await startBrowser(folder, chromium);
const noise = [];
try {
  const contexts = {
    fresh: () => openContext(browser, product, noise),
    plain: () => openContext(browser, product, noise, {javaScriptEnabled: false}),
  };
  const page = await (await contexts.fresh()).newPage();
  const all = {...contexts, page, show, recording, get, send, token, product, looks};
  await part("the link of the demo signs in, once", async () => {
    await page.goto(link);
    if (new URL(page.url()).pathname != `/events/${show}`) return [`it leads to ${page.url()}`];
    const other = await (await contexts.fresh()).newPage();
    const again = await other.goto(link);
    return again.ok() && new URL(other.url()).pathname != "/sign-in" ? ["it signs in twice"] : [];
  });
  const [opened, links, kinds, commands] = [[], new Map(), new Set(), new Set()];
  for (const it of pagesOf({show, recording, poll, report, job})) {
    await part(it.name, async () => {
      const problems = await open(page, it, opened);
      await linksOf(page, it.name, links, kinds);
      for (const command of await commandsOf(page)) commands.add(command);
      return problems;
    });
  }
  await part("pages say the same without scripts", async () => {
    const plain = await (await contexts.plain()).newPage();
    await plain.context().addCookies(await page.context().cookies());
    const problems = [];
    for (const it of opened) problems.push(...(await readPlain(plain, it)).map(problem => `${it.name}: ${problem}`));
    return problems;
  });
  await part(`${links.size} links lead to something`, () => follow(page, links));
  await part(`${commands.size} commands get an answer`, async () => runCommands(commands));
  await part("a range chosen on the curve has an address", () => tasks.chooseRange(all));
  await part("a report is made, and is that of the API", () => tasks.makeReport(all));
  await part("the light turns green", () => tasks.install(all));
  await part("a live page moves", () => tasks.followLive(all));
  await part("a share link opens one page", () => tasks.share(all));
  await part("forms work without scripts", () => tasks.withoutScript(all));
  await part("an invited reader signs in", () => tasks.invite(all));
  await part("the page for signing in", () => tasks.signInPage(all));
  await part("no message on the console, no foreign host", async () => noise);
} finally {
  await browser.close();
}
process.exit(isRight ? 0 : 1);
