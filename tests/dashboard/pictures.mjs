// Makes the pictures of docs/dashboard.md.
//
//     node pictures.mjs PRODUCT LINK TOKEN FOLDER CHROMIUM PICTURES
//
// The arguments are those of `dashboard.mjs`; PICTURES is the folder of the files.

import {mkdirSync, readdirSync, rmSync, writeFileSync} from "node:fs";
import {join} from "node:path";

import {openContext, startBrowser} from "./browser.mjs";
import {smaller} from "./png.mjs";

/** Larger files make the repository heavy. */
const BYTES_MAX = 80_000;

const [product, link, token, folder, chromium, pictures] = process.argv.slice(2);
const headers = {authorization: `Bearer ${token}`};

/** The first event with these properties. */
async function event(query) {
  const answer = await fetch(`${product}/api/v1/events?${query}`, {headers});
  return (await answer.json()).events[0].id;
}

const [show, recording, now] = await Promise.all([
  event("kind=live&state=ended"), event("kind=vod"), event("state=live"),
]);

const WIDTH = 1180;

/** The top of each page, with this height. */
const PICTURES = [
  {name: "shows", path: "/", height: 620},
  {name: "show", path: `/events/${show}`, height: 1120},
  {name: "people", path: `/events/${show}/people?minimum=75`, height: 760},
  {name: "polls", path: `/events/${show}/polls`, height: 760},
  {name: "retention", path: `/events/${recording}/retention`, height: 760},
  {name: "report", path: `/reports?event_id=${show}&dimension=attendance&preview=1`, height: 1100},
  {name: "install", path: "/install?event_id=keynote", height: 860},
  {name: "live", path: `/events/${now}/live`, height: 860, until: "[data-figure=viewers]:not([data-value='0'])"},
];

const browser = await startBrowser(folder, chromium);
try {
  const context = await openContext(browser, product, [], {viewport: {width: WIDTH, height: 900}});
  const page = await context.newPage();
  await page.goto(link);
  mkdirSync(pictures, {recursive: true});
  for (const file of readdirSync(pictures)) rmSync(join(pictures, file));
  for (const {name, path, height, until = "main"} of PICTURES) {
    await page.goto(path);
    await page.locator(until).first().waitFor();
    const clip = {x: 0, y: 0, width: WIDTH, height};
    const picture = smaller(await page.screenshot({fullPage: true, clip}));
    writeFileSync(join(pictures, `${name}.png`), picture);
    console.log(`${name}.png: ${picture.length} bytes`);
    if (picture.length > BYTES_MAX) throw Error(`${name}.png is larger than ${BYTES_MAX} bytes`);
  }
} finally {
  await browser.close();
}
