// What people do with the pages, each as one task: choose a range, make a report, watch a show that is on, share it, invite.

import {createHash} from "node:crypto";
import {readFileSync} from "node:fs";
import {isDeepStrictEqual} from "node:util";

import {fillToken, signIn} from "./browser.mjs";
import {compare, figuresOf} from "./figures.mjs";

/** How long after its record a viewer may appear: 2 s, and the time that the page takes to show it. */
const LIVE_MS_MAX = 3_000;

function must(holds, problem) {
  if (!holds) throw Error(problem);
}

/** A range is dragged over the curve. Its address shows the same in a browser that signs in anew. */
export async function chooseRange({page, fresh, show, get, token}) {
  await page.goto(`/events/${show}`);
  const before = await figuresOf(page);
  const curve = page.locator("[data-curve] svg:visible").first();
  await curve.scrollIntoViewIfNeeded();
  const box = await curve.boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.3, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, y, {steps: 4});
  const arrives = page.waitForURL(/[?&]from=.*&to=/);
  await page.mouse.up();
  await arrives;
  const address = page.url();
  const chosen = await figuresOf(page);
  const {searchParams} = new URL(address);
  const range = new URLSearchParams({from: searchParams.get("from"), to: searchParams.get("to")});
  const path = `/api/v1/events/${show}/figures?${range}`;
  const own = chosen.filter(figure => figure.row === null).map(figure => ({...figure, source: path}));
  const problems = await compare(own, get);
  must(problems.length == 0, problems.join("; "));
  must(!isDeepStrictEqual(chosen, before), "the range changes no figure");
  const other = await (await fresh()).newPage();
  const copied = new URL(address);
  await signIn(other, copied.pathname + copied.search, token);
  must(other.url() == address, `signing in leads to ${other.url()}, and not to ${address}`);
  must(isDeepStrictEqual(await figuresOf(other), chosen), "the same address shows other figures");
}

/** A report is made on the page. Its file is that of the API, and begins with the rows that the page showed before. */
export async function makeReport({page, show, token, product}) {
  await page.goto(`/reports?event_id=${show}`);
  await page.selectOption("select[name=dimension]", "watch_time");
  await page.check("input[name=group_by][value=customer_id]");
  await page.click("button[name=preview]");
  const rows = await page.$$eval("#preview tbody tr", rows =>
    rows.map(row => [...row.cells].map(cell => cell.textContent.trim()).join(",")));
  must(rows.length > 1, "the preview has no rows");
  await page.click("button[formmethod=post]");
  const link = page.locator("a.button.primary", {hasText: "Download"});
  await link.waitFor();
  const begun = page.waitForEvent("download");
  await link.click();
  const file = readFileSync(await (await begun).path());
  const sha256 = createHash("sha256").update(file).digest("hex");
  const shown = (await figuresOf(page)).find(figure => figure.name == "sha256");
  must(JSON.parse(shown.value) == sha256, "the page names another checksum than that of the file");
  must(await sha256OfApi(product, token, show) == sha256, "the same report of the API has another checksum");
  const lines = file.toString().split("\n").slice(1, rows.length + 1);
  must(isDeepStrictEqual(lines, rows), `the file begins with ${lines[0]}, the page showed ${rows[0]}`);
}

/** Orders the same report at the API; gives the checksum of its file. */
async function sha256OfApi(product, token, show) {
  const call = async (path, body) => {
    const headers = {authorization: `Bearer ${token}`, "content-type": "application/json"};
    const answer = await fetch(`${product}/bv/analytics/v1/events/${path}`, {method: "POST", headers, body: JSON.stringify(body)});
    must(answer.ok, `${path} answers ${answer.status}`);
    return (await answer.json()).reports[0];
  };
  const {id} = await call("reports", {
    id: show, type: "EVENT_TYPE_LIVE",
    dimension_with_conditions: [
      {dimension: "REPORT_DIMENSION_WATCH_TIME", group_by_fields: ["GROUP_BY_FIELD_CUSTOMER_ID"]},
    ],
  });
  for (let round = 0; round < 300; round += 1) {
    const report = await call("reports:batch-get", {reports: [{id}]});
    if (report.uri) {
      const file = await fetch(report.uri);
      return createHash("sha256").update(Buffer.from(await file.arrayBuffer())).digest("hex");
    }
    await new Promise(resolve => { setTimeout(resolve, 100); });
  }
  throw Error("the API makes no report");
}

/** A viewer joins a show that is on, and the page counts them without being loaded again. */
export async function followLive({page, send}) {
  const now = Date.now();
  const event = {type: "event", event_id: "on-now", kind: "live", title: "On now", starts_at: now - 600_000};
  const plays = (viewer, from) => ({
    type: "playback", event_id: "on-now", playback_id: viewer, customer_id: viewer, from, to: Date.now(),
  });
  await send([event, plays("ada", now - 60_000)]);
  await page.goto("/events/on-now/live");
  const shows = viewers => page.waitForFunction(
    viewers => document.querySelector("[data-figure=viewers_now]")?.dataset.value == viewers,
    viewers, {polling: 20},
  );
  await shows(1);
  await page.evaluate(() => { globalThis.isSamePage = true; });
  // The page has the figures of its first event, so the next ones come by the stream.
  await page.waitForFunction(() => /by themselves/.test(document.querySelector("[data-stream-state]")?.textContent));
  await send([plays("bob", Date.now() - 1_000)]);
  const sent = Date.now();
  await shows(2);
  const took = Date.now() - sent;
  must(took <= LIVE_MS_MAX, `the page counts a viewer after ${took} ms`);
  must(await page.evaluate(() => globalThis.isSamePage), "the page was loaded again");
  return `after ${took} ms`;
}

/** A key is made, and the light turns green with the first record that has it. */
export async function install({page, product}) {
  await page.goto("/install?event_id=first-page");
  await page.click("text=Make a new key");
  const line = await page.locator("pre", {hasText: "data-event=\"first-page\""}).first().textContent();
  const key = /data-key="(sr_[^"]+)"/.exec(line)?.[1];
  must(key, `the line has no key: ${line}`);
  const green = page.locator("#light .notice.good");
  must(await green.count() == 0, "the light is green before the first record");
  const now = Date.now();
  const record = {type: "playback", event_id: "first-page", playback_id: "tab", from: now - 1_000, to: now};
  const answer = await fetch(`${product}/collect?key=${key}`, {method: "POST", body: JSON.stringify(record)});
  must(answer.status == 202, `the record is answered with ${answer.status}`);
  await green.waitFor();
}

/** A share link opens the page of its event alone, and is closed when it is deleted. */
export async function share({fresh, show, get, token, product, looks}) {
  const path = `${product}/api/v1/events/${show}/shares`;
  const headers = {authorization: `Bearer ${token}`, "content-type": "application/json"};
  const body = JSON.stringify({people: "hidden", live: true, downloads: false});
  const answer = await fetch(path, {method: "POST", headers, body});
  must(answer.ok, `the API makes no share link: ${answer.status}`);
  const {id, uri} = await answer.json();
  const page = await (await fresh()).newPage();
  const response = await page.goto(uri);
  const html = await response.text();
  const figures = await figuresOf(page);
  const own = figures.filter(figure => figure.row === null);
  must(own.length > 5, "the shared page has no figures");
  const problems = await compare(own.map(it => ({...it, source: `/api/v1/events/${show}/figures`})), get);
  problems.push(...await looks.at(page, html, "shared", 2));
  for (const tab of await page.$$eval(".tabs a", tabs => tabs.map(tab => tab.href))) {
    if (!(await page.goto(tab)).ok()) problems.push(`${tab} does not open`);
    if (/customer-0|device-[0-9a-f]{12}/.test(await page.content())) problems.push(`${tab} shows people`);
  }
  must(problems.length == 0, problems.join("; "));
  await page.goto("/");
  must(new URL(page.url()).pathname == "/sign-in", "a share link opens other pages");
  await fetch(`${path}/${id}`, {method: "DELETE", headers});
  // A revoked link opens nothing after a second.
  await new Promise(resolve => { setTimeout(resolve, 1_000); });
  must((await page.goto(uri)).status() == 404, "a deleted share link still opens");
}

/** Forms work without scripts: signing in, a range, and a report. */
export async function withoutScript({plain, show, token}) {
  const page = await (await plain()).newPage();
  await signIn(page, `/events/${show}`, token);
  const before = await figuresOf(page);
  const peak = before.find(figure => figure.name == "peak_at");
  const zone = await page.locator("time, .soft").first().textContent();
  must(zone.length > 0, "the page names no time");
  const date = JSON.parse(peak.value).slice(0, 10);
  await page.fill("input[name=from]", `${date}T18:00:00`);
  await page.fill("input[name=to]", JSON.parse(peak.value).slice(0, 19));
  await page.click("form.filters button.primary");
  must(/[?&]from=/.test(page.url()), "the form does not set a range");
  must(!isDeepStrictEqual(await figuresOf(page), before), "the range of the form changes no figure");
  await page.goto(`/reports?event_id=${show}`);
  await page.click("button[formmethod=post]");
  // While the report is made, the page is loaded again by itself.
  await page.locator("a.button.primary", {hasText: "Download"}).waitFor();
  await page.click("text=Sign out");
  await page.goto(`/events/${show}`);
  must(new URL(page.url()).pathname == "/sign-in", "signing out does not end the session");
}

/** The keyboard reaches the content first, and a wrong token is refused on the page. */
export async function signInPage({fresh, looks}) {
  const page = await (await fresh()).newPage();
  const html = await (await page.goto("/sign-in")).text();
  const problems = await looks.at(page, html, "sign in", 1);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const focused = await page.evaluate(() => document.activeElement.id);
  if (focused != "content") problems.push(`the first key leads to "${focused}"`);
  await fillToken(page, "sr_wrong");
  await page.locator("[role=alert]").waitFor();
  problems.push(...await looks.at(page, await page.content(), "sign in, refused", 1));
  must(problems.length == 0, problems.join("; "));
}

/** An invited reader sets a password, signs in with it, and sees what readers may see. */
export async function invite({page, fresh, show, looks}) {
  const [email, password] = ["reader@showreport.example", "wide river under a bridge"];
  await page.goto("/organisation");
  await page.fill("input[name=email]", email);
  await page.locator("form", {has: page.locator("input[name=email]")}).locator("select").selectOption("reader");
  await page.press("input[name=email]", "Enter");
  const link = (await page.locator("[role=status] pre").textContent()).trim();
  const own = await (await fresh()).newPage();
  const problems = await looks.at(own, await (await own.goto(link)).text(), "invitation", 1);
  await own.fill("input[name=password]", password);
  await own.fill("input[name=again]", password);
  await own.press("input[name=again]", "Enter");
  await own.waitForURL(url => url.href != link);
  const other = await (await fresh()).newPage();
  await other.goto(`/events/${show}`);
  await other.fill("input[name=email]", email);
  await other.fill("input[name=password]", password);
  await other.press("input[name=password]", "Enter");
  await other.waitForURL(url => url.pathname == `/events/${show}`);
  for (const [path, status] of [["/reports", 200], ["/organisation", 403], ["/status", 403], ["/account", 200]]) {
    const response = await other.goto(path);
    if (response.status() != status) problems.push(`a reader gets ${response.status()} at ${path}`);
    problems.push(...await looks.at(other, await response.text(), `reader ${path}`));
  }
  await other.goto("/reports");
  if (await other.locator("button[formmethod=post]").count()) problems.push("a reader may make reports");
  if ((await own.goto(link)).status() != 404) problems.push("an invitation opens twice");
  must(problems.length == 0, problems.join("; "));
}
