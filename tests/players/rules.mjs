// The rules of the script that take too long in a browser, with a page whose time is set here.
//
//     node rules.mjs SCRIPT

import {strict as assert} from "node:assert";
import {readFileSync} from "node:fs";
import {runInNewContext} from "node:vm";

const source = readFileSync(process.argv[2], "utf8");

/** The server's time when the page begins. */
const BEGIN = Date.UTC(2026, 10, 20, 10);
const MINUTE = 60_000;

class Media {
  listeners = [];
  paused = true;
  playbackRate = 1;
  readyState = 4;
  seeking = false;
  currentSrc = "a.mp4";
  place = 0;

  constructor(page) {
    this.page = page;
  }

  addEventListener(name, listener) {
    this.listeners.push([name, listener]);
  }

  get currentTime() {
    const moved = this.paused || this.isStuck ? 0 : this.page.time - this.since;
    return (this.place + moved * this.playbackRate) / 1000;
  }

  /** Continues from a place. */
  go(place = this.currentTime * 1000) {
    this.place = place;
    this.since = this.page.time;
    for (const [name, listener] of this.listeners) if (name == "playing") listener();
  }

  play() {
    this.go();
    this.paused = false;
    this.go();
  }

  pause() {
    this.place = this.currentTime * 1000;
    this.paused = true;
  }
}

/** A page with one element. `error` is how far its clock is ahead of the server's. */
class Page {
  time = 0;
  timers = new Map();
  sent = [];
  store = {};
  accepted = [];
  answer = () => ({status: 202});

  constructor({error = 0, data = {}} = {}) {
    this.media = new Media(this);
    this.listeners = {};
    const dataset = {key: "sr_key", event: "keynote", customer: "ada", ...data};
    const window = {
      HTMLMediaElement: Media, URL, crypto, localStorage: this.store,
      addEventListener: (name, listener) => this.listeners[name] = listener,
      performance: {now: () => this.time},
      Date: {now: () => BEGIN + this.time + error},
      navigator: {sendBeacon: (url, body) => this.receive(body, true)},
      setTimeout: (call, after) => this.timers.set(call, this.time + after) && call,
      clearTimeout: call => this.timers.delete(call),
      fetch: async (url, {body}) => {
        const {status, lost, headers = {}} = this.answer(JSON.parse(body));
        if (lost) throw TypeError("Failed to fetch");
        if (status == 202) this.receive(body);
        const all = {"x-showreport-time": BEGIN + this.time, ...headers};
        return {status, headers: {get: name => all[name] ?? null}};
      },
    };
    window.window = window;
    this.document = window.document = {
      hidden: false,
      currentScript: {dataset, src: "https://show.example/showreport.js"},
      addEventListener() {},
      querySelectorAll: () => [this.media],
    };
    runInNewContext(source, window);
  }

  receive(body, isBeacon = false) {
    const records = JSON.parse(body);
    this.sent.push({at: this.time, records, isBeacon});
    this.accepted.push(...records);
    return true;
  }

  /** Lets time pass, in order of the timers. */
  async pass(milliseconds) {
    const until = this.time + milliseconds;
    for (;;) {
      const next = [...this.timers].sort((a, b) => a[1] - b[1])[0];
      if (!next || next[1] > until) break;
      this.time = Math.max(this.time, next[1]);
      this.timers.delete(next[0]);
      next[0]();
      await new Promise(setImmediate);
    }
    this.time = until;
  }

  hide(isHidden = true) {
    this.document.hidden = isHidden;
    this.listeners.visibilitychange({type: "visibilitychange"});
  }

  /** The spans by start, each as far as it grew. */
  get spans() {
    const grown = new Map();
    for (const {from, to} of this.accepted) grown.set(from, Math.max(to, grown.get(from) ?? 0));
    return [...grown].sort((a, b) => a[0] - b[0]);
  }

  /** Milliseconds that the records claim; none may overlap another. */
  get watched() {
    let [sum, until] = [0, 0];
    for (const [from, to] of this.spans) {
      assert(from >= until, `a span begins ${until - from} ms before the end of another`);
      sum += to - from;
      until = to;
    }
    return sum;
  }
}

const near = (value, wanted, off = 60) => {
  assert(Math.abs(value - wanted) <= off, `${value} instead of ${wanted}`);
};

const RULES = {
  async "nothing is sent before something plays, also when the page is hidden and shown"() {
    const page = new Page();
    let requests = 0;
    page.answer = () => ({status: 202, requests: ++requests});
    await page.pass(5_000);
    page.hide();
    page.hide(false);
    await page.pass(5_000);
    assert.equal(requests, 0);
    page.media.play();
    assert.equal(requests, 1);
  },

  async "a record comes after a second and then every ten"() {
    const page = new Page();
    page.media.play();
    await page.pass(35_000);
    const times = page.sent.filter(({records}) => records.length).map(({at}) => at);
    assert.equal(times.length, 4);
    [1_000, 11_000, 21_000, 31_000].forEach((at, index) => near(times[index], at, 200));
    assert.equal(page.spans.length, 1);
  },

  async "a run of an hour begins anew, without a gap"() {
    const page = new Page();
    page.media.play();
    await page.pass(65 * MINUTE);
    page.hide();
    assert.equal(page.spans.length, 2);
    near(page.watched, 65 * MINUTE);
    near(page.spans[0][1] - page.spans[0][0], 60 * MINUTE);
  },

  async "a playhead that stands still claims nothing, without any event"() {
    const page = new Page();
    page.media.play();
    await page.pass(5_000);
    page.media.place = 5_000;
    page.media.isStuck = true;
    await page.pass(20_000);
    page.hide();
    near(page.watched, 5_000);
  },

  async "a playhead that jumps begins another record, without any event"() {
    const page = new Page();
    page.media.play();
    await page.pass(5_000);
    page.media.place = 3_000;
    await page.pass(5_000);
    page.hide();
    near(page.watched, 10_000);
    assert.equal(page.spans.length, 2);
    const {position_ms: position} = page.accepted.at(-1);
    near(position, 8_000);
  },

  async "a clock that is wrong is corrected before anything is claimed"() {
    for (const error of [-10 * MINUTE, 10 * MINUTE, 90 * MINUTE]) {
      const page = new Page({error});
      page.media.play();
      await page.pass(5_000);
      page.hide();
      near(page.spans[0][0], BEGIN);
      near(page.watched, 5_000);
    }
  },

  async "a late correction never goes back over what was claimed"() {
    for (const error of [-10 * MINUTE, 2_000]) {
      const page = new Page({error});
      page.answer = () => ({lost: true});
      page.media.play();
      await page.pass(15_000);
      page.answer = () => ({status: 202});
      await page.pass(30_000);
      page.hide();
      near(page.watched, 45_000, 200);
      const [, last] = page.spans.at(-1);
      near(last, BEGIN + 45_000 + Math.max(0, error), 200);
    }
  },

  async "at most 16 KiB are kept, the newest"() {
    const page = new Page();
    page.answer = () => ({status: 503});
    page.media.play();
    for (let seek = 0; seek < 300; seek++) {
      await page.pass(300);
      page.media.go(seek * 7_000 % 3_000_000);
    }
    page.hide();
    const kept = page.store["showreport-sr_key"];
    assert(kept.length <= 16_384 && kept.length > 12_000, `${kept.length} characters`);
    const newest = Math.max(...Object.values(JSON.parse(kept)).map(record => record.to));
    near(newest, BEGIN + page.time, 500);
  },

  async "nothing is sent while the server asked to wait, not even a beacon"() {
    const page = new Page();
    page.answer = () => ({status: 429, headers: {"retry-after": "60"}});
    page.media.play();
    await page.pass(5_000);
    page.answer = () => ({status: 202});
    page.hide();
    await page.pass(50_000);
    assert.equal(page.sent.length, 0);
    await page.pass(15_000);
    assert(page.sent.length > 0);
  },

  async "a page that is hidden sends a beacon with what it played until then"() {
    const page = new Page();
    page.media.play();
    await page.pass(7_300);
    page.hide();
    const {isBeacon, records} = page.sent.at(-1);
    assert(isBeacon);
    near(records[0].to - records[0].from, 7_300);
  },
};

for (const [name, rule] of Object.entries(RULES)) {
  await rule().catch(error => {
    console.error(`the script: ${name}: ${error.message}`);
    process.exitCode = 1;
  });
}
console.log(`the script: ${Object.keys(RULES).length} rules`);
