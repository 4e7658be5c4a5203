// What the script does beside measuring: refusals, sources, elements, the store.

import {wait} from "./cases.mjs";

/** Fails with the text, unless the value is true. */
const holds = (value, text) => {
  if (!value) throw Error(text);
};

const idsOf = records => new Set(records.map(record => record.playback_id));

/** Each has a page with a bare element that can play, and the relay. */
export const BEHAVIOUR = {
  async "a busy server is asked again after Retry-After"({page, relay, recordsOf}) {
    relay.refusal = {status: 503, headers: {"retry-after": "2"}};
    await page.evaluate(async () => (await ready).play());
    await wait(1_300);
    await page.evaluate(async () => (await ready).pause());
    await wait(400);
    const [first] = relay.requests.slice(-1);
    relay.refusal = null;
    holds(recordsOf().length == 0, "nothing was accepted yet");
    await wait(2_800);
    holds(recordsOf().length == 1, "the run is sent again");
    const [again] = relay.requests.slice(-1);
    holds(again.at - first.at > 1_500, `asked again after ${again.at - first.at} ms`);
  },

  async "a key that was revoked silences the script"({page, relay}) {
    relay.refusal = {status: 401, headers: {}};
    const before = relay.requests.length;
    await page.evaluate(async () => (await ready).play());
    await wait(1_500);
    await page.evaluate(async () => (await ready).pause());
    await wait(500);
    relay.refusal = null;
    holds(relay.requests.length == before + 1, `${relay.requests.length - before} requests`);
  },

  async "another source is another view, and the same source is not"({page, recordsOf}) {
    await page.evaluate(async () => {
      const video = await ready;
      const after = milliseconds => new Promise(done => setTimeout(done, milliseconds));
      const start = async source => {
        video.src = source;
        await video.play();
        await after(1_300);
      };
      await start("/media/file.mp4");
      await start("/media/file.mp4");
      await start("/media/file.mp4?another");
      video.pause();
    });
    await wait(400);
    const sources = idsOf(recordsOf()).size;
    holds(sources == 2, `${sources} views`);
  },

  async "elements that come later, and several, are views of their own"({page, recordsOf}) {
    await page.evaluate(async () => {
      await (await ready).play();
      for (const kind of ["video", "audio"]) {
        const later = document.createElement(kind);
        later.src = "/media/file.mp4";
        document.body.append(later);
        await later.play();
      }
    });
    await wait(1_600);
    holds(idsOf(recordsOf()).size == 3, `${idsOf(recordsOf()).size} views of three elements`);
  },

  async "attach replaces what the attributes say, and detach ends it"({page, relay, event, recordsOf}) {
    const id = await page.evaluate(async event => {
      const video = await ready;
      const attached = showreport.attach(video, {event_id: event, customer_id: "ben", playback_id: "mine"});
      await video.play();
      await new Promise(done => setTimeout(done, 1_200));
      attached.detach();
      return attached.playback_id;
    }, event);
    await wait(300);
    const before = relay.requests.length;
    await wait(1_500);
    const people = new Set(recordsOf().map(record => `${record.customer_id} ${record.playback_id}`));
    holds(id == "mine" && [...people].join() == "ben mine", `records of ${[...people]}`);
    holds(relay.requests.length == before, "nothing is sent after detach");
  },

  async "below another path the script sends to that path"({open, relay, recordsOf}) {
    const before = relay.requests.length;
    const page = await open({script: `${relay.url}/v/showreport.js`});
    await page.evaluate(async () => (await ready).play());
    await wait(1_300);
    await page.close();
    await wait(1_000);
    const paths = new Set(relay.requests.slice(before).map(({url}) => url.split("?")[0]));
    holds([...paths].join() == "/v/", `it sent to ${[...paths]}`);
    holds(recordsOf().length > 0, "records arrive");
  },

  async "what a closed page could not send is kept, but not where the page forbids it"({page, open, relay, recordsOf}) {
    for (const [store, kept] of [["yes", 1], ["no", 0]]) {
      const closed = await open({store});
      await closed.evaluate(async () => (await ready).play());
      await wait(700);
      relay.refusal = {status: 503, headers: {}};
      await closed.evaluate(async () => (await ready).pause());
      await wait(400);
      await closed.close();
      relay.refusal = null;
      const keys = await page.evaluate(() => Object.values(localStorage).filter(text => text.includes("playback_id")));
      holds(keys.length == kept, `${keys.length} texts are kept with data-store=${store}`);
      const next = await open({store});
      await wait(1_500);
      await next.close();
      holds(recordsOf().length == 1, `${recordsOf().length} records arrived`);
    }
    const rest = await page.evaluate(() => Object.values(localStorage).filter(text => text.includes("playback_id")));
    holds(rest.length == 0, "what arrived is no longer kept");
  },
};
