// Chromium, its contexts, and what they must not do.

import {createRequire} from "node:module";
import {join} from "node:path";

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];

/** How long a page may take. The first one of an event is worked out in a build without optimisation. */
const PATIENCE = 30_000;

/** Loads a package from the folder that has `node_modules`. */
export function load(folder, name) {
  return createRequire(join(folder, "package.json"))(name);
}

export function startBrowser(folder, chromium) {
  return load(folder, "playwright-core").chromium.launch({executablePath: chromium, args: ARGUMENTS});
}

/**
 * A context with an empty profile. `problems` gets a line for each message on the console, each error of a script
 * and each request to another host.
 */
export async function openContext(browser, product, problems, options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, baseURL: product, ...options});
  context.setDefaultTimeout(PATIENCE);
  context.on("console", message => {
    // A page with the status 404 is looked at on purpose. The browser reports its status.
    if (/the server responded with a status of 4\d\d/.test(message.text())) return;
    problems.push(`${message.page()?.url()}: the console says "${message.text()}"`);
  });
  context.on("weberror", error => problems.push(`${error.page()?.url()}: ${error.error().message}`));
  context.on("request", request => {
    const url = new URL(request.url());
    if (url.protocol != "data:" && url.origin != product) problems.push(`a request goes to ${url.origin}`);
  });
  context.on("response", response => {
    const isPage = response.request().isNavigationRequest();
    if (!isPage && response.status() >= 400) problems.push(`${response.url()} answers ${response.status()}`);
  });
  return context;
}

/** Signs in with an API token on the page to which one without a session is sent. */
export async function signIn(page, path, token) {
  await page.goto(path);
  const asked = new URL(page.url());
  if (asked.pathname != "/sign-in") throw Error(`${path} opens without a session`);
  await fillToken(page, token);
  await page.waitForURL(url => url.pathname != "/sign-in");
}

/** Fills in the form of tokens, which is closed at first, and sends it. */
export async function fillToken(page, token) {
  await page.locator("summary", {hasText: "API token"}).click();
  await page.fill("input[name=token]", token);
  await page.press("input[name=token]", "Enter");
}
