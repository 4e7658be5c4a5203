/**
 * Sends what the media elements of a page play to the server that this file comes from.
 *
 * A run is uninterrupted play: the position of the playhead is a straight line over time. Each run
 * is one record, which is sent again with a later `to` while the run lasts. So a lost request
 * costs nothing if a later one arrives, and a repeated one changes nothing. A record never claims
 * more than the playhead moved.
 *
 * All times are in milliseconds of `performance.now()`; records have milliseconds since 1970. The
 * build removes comments and indentation.
 */

/**
 * @typedef {{event_id: string, key: string, playback_id: string, customer_id?: string,
 *   device_id?: string, name?: string, viewer_token?: string}} Options
 * @typedef {Record<string, any>} Records By playback and start.
 * @typedef {{from: number, to: number, position_ms: number, rate: number}} Run
 */

(() => {
  /** @type {any} */
  const page = window;
  // A second copy would send every view twice.
  if (page.showreport) return;
  /** @type {{dataset: DOMStringMap, src: string}} */
  const {dataset: data, src} = page.document.currentScript;

  /**
   * By the standard, a time update comes with a pause and with the end of a seek too.
   *
   * @param {EventTarget} target
   * @param {(event: Event) => void} look
   */
  const listen = (target, look) => {
    target.addEventListener("playing", look, true);
    target.addEventListener("timeupdate", look, true);
  };

  const now = () => performance.now();
  const random = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

  // `base` is the instant of `now() == 0`. The system's clock is read once: it can be set while
  // something plays.
  let clock = {base: Date.now() - now()};
  // Whether the clock was corrected by the server's time.
  let isExact = false;
  // Whether this page has made a record.
  let hasSaid = false;
  let isLeaving = false;

  /** @type {Set<() => void>} The elements that play. */
  const playing = new Set();
  /** @type {WeakMap<EventTarget, () => void>} `detach` by element. */
  const attached = new WeakMap();
  /** @type {Record<string, ReturnType<typeof open>>} By key. */
  const queues = {};

  /**
   * Removes the oldest records beyond 16 KiB.
   *
   * @param {Records} records
   */
  const limit = records => {
    for (const id in records) if (JSON.stringify(records)[16384]) delete records[id];
  };

  /**
   * Changes what is kept for the next visit.
   *
   * @param {string} name
   * @param {(kept: Records) => void} change
   */
  const keep = (name, change) => {
    if (data.store != "no") try {
      name = "showreport-" + name;
      const kept = JSON.parse(localStorage[name] || "{}");
      change(kept);
      limit(kept);
      localStorage[name] = JSON.stringify(kept);
    } catch {}
  };

  /**
   * The records for a key that no response has acknowledged.
   *
   * @param {string} key
   */
  const open = key => {
    const url = new URL("collect?key=" + key, src);
    /** @type {Records} */
    const unsent = {};
    // No request is made before these times: while one is under way, and after a refusal.
    let busy = 0;
    let wait = 0;

    /** @param {boolean} [isStart] Whether something begins to play. */
    const send = isStart => {
      const sent = now();
      const list = {...unsent};
      const body = JSON.stringify(Object.values(list));
      /** @param {Records} kept */
      const add = kept => Object.assign(kept, list);
      /** @param {Records} from */
      const drop = from => {
        for (const id in list) if (from[id]?.to <= list[id].to) delete from[id];
      };
      if (isLeaving) {
        // A beacon has no response, so its records stay unsent.
        if (body[2] && sent > wait) navigator.sendBeacon(url, body);
        return keep(key, add);
      }
      // An empty list asks for the server's time before anything is claimed.
      if (sent < busy || !(isStart || body[2])) return;
      busy = sent + 2e4;
      let pause = 1e4;
      fetch(url, {method: "POST", body, keepalive: true}).then(({status, headers}) => {
        const time = Number(headers.get("x-showreport-time"));
        const half = (now() - sent) / 2;
        const error = time - sent - half - clock.base;
        // The server's time is known to half of the round trip: a smaller difference is no error.
        if (time && !isExact && Math.abs(error) > half) {
          isExact = true;
          // What was claimed keeps its times: its run ends, and nothing later may overlap it.
          if (!hasSaid) clock.base += error;
          else if (error > 0) clock = {base: clock.base + error};
        }
        pause = Number(headers.get("retry-after")) * 1e3 || pause;
        if (status > 428) throw 0;
        drop(unsent);
        keep(key, drop);
        // The key is wrong or was revoked.
        busy = wait = [401, 403, 410].includes(status) ? Infinity : 0;
        send();
      }).catch(() => {
        busy = wait = now() + pause;
        keep(key, add);
        setTimeout(send, pause);
      });
    };

    keep(key, kept => Object.assign(unsent, kept));
    // The first call makes further ones wait.
    for (const _ in unsent) send();
    return {send, unsent};
  };

  /** @type {Partial<Options>} */
  const defaults = {
    key: data.key,
    event_id: data.event,
    customer_id: data.customer,
    device_id: data.device,
    name: data.name,
    viewer_token: data.viewerToken,
  };
  if (data.device == "auto") {
    delete defaults.device_id;
    keep("device", kept => defaults.device_id = kept.id ||= random());
  }

  /**
   * Collects what an element plays.
   *
   * @param {HTMLMediaElement} element
   * @param {Partial<Options>} [options]
   */
  const attach = (element, options) => {
    let {key, playback_id = random(), ...about} = {...defaults, ...options};
    if (!key || !about.event_id) throw Error("showreport: no event_id or key");
    attached.get(element)?.();
    const queue = queues[key] ||= open(key);
    let isOn = true;
    /** @type {Run | undefined} */
    let run;
    let runClock = clock;
    let due = 0;
    let timer = 0;
    // The source of the last run, and how far it was played.
    /** @type {string | undefined} */
    let source;
    let reached = 0;

    /** Compares the playhead with the line of the run. */
    const look = () => {
      const at = now();
      const {currentSrc, paused, playbackRate: rate, seeking} = element;
      const position_ms = element.currentTime * 1e3;
      const isOver = paused || !isOn;
      const plays = !isOver && !seeking && element.readyState > 2;
      if (run) {
        // When the playhead is here, by the line.
        const isOff = Math.abs(run.from + (position_ms - run.position_ms) / run.rate - at) > 250;
        if (position_ms > reached && !seeking && !isOff) {
          run.to = at;
          reached = position_ms;
        } else if (at > run.to + 35 && due < run.from + 1e4) {
          // Nothing is claimed yet, and the playhead stands still, as it often does at the start.
          run.from += at - run.to;
          run.to = at;
        }
        const isEnd = !plays || isOff || rate != run.rate || at > run.from + 36e5 || clock != runClock;
        if (isEnd || isLeaving || at > due) {
          const from = Math.floor(runClock.base + run.from);
          const to = Math.floor(runClock.base + run.to);
          if (to > from) {
            hasSaid = true;
            queue.unsent[playback_id + from] = {type: "playback", ...about, playback_id, ...run, from, to};
            limit(queue.unsent);
          }
          due = at + 1e4;
          isLeaving || queue.send();
        }
        if (isEnd) run = undefined;
      }
      if (plays && !run) {
        // A player that goes on where it stopped, as after an error, continues the view.
        if (reached && source != currentSrc && Math.abs(position_ms - reached) > 1e3)
          playback_id = random();
        source = currentSrc;
        reached = position_ms;
        run = {from: at, to: at, position_ms, rate};
        runClock = clock;
        due = at + 1e3;
        hasSaid || queue.send(true);
      }
      clearTimeout(timer);
      playing.add(look);
      if (isOver) playing.delete(look);
      // Time updates come every 250 ms only.
      else timer = setTimeout(look, 20);
    };
    // The timer looks once more, which ends the run.
    const detach = () => isOn = false;
    listen(element, look);
    attached.set(element, detach);
    look();
    return {
      get playback_id() {
        return playback_id;
      },
      detach,
    };
  };

  /** @param {Event} event */
  const turn = event => {
    isLeaving = document.hidden || event.type == "pagehide";
    playing.forEach(look => look());
    for (const key in queues) queues[key].send();
    isLeaving = false;
  };
  addEventListener("pagehide", turn);
  // A mobile system ends a hidden page without a further event.
  addEventListener("visibilitychange", turn);

  page.showreport = {attach};
  if (!data.event) return;
  /** @param {EventTarget | null} element */
  const find = element => {
    if (element instanceof HTMLMediaElement) attached.has(element) || attach(element);
  };
  document.querySelectorAll("video, audio").forEach(find);
  // Elements that come later are found when they play. These events do not bubble.
  listen(document, event => find(event.target));
})();
