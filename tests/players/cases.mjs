// What viewers do: each case plays something in a browser of its own and returns the truth.

/** Limits of the difference between the report and the truth, in milliseconds. */
const EXACT = {least: -150, most: 150};
/** A browser that is killed sends nothing more: one beat is lost. */
const ONE_BEAT = {least: -10_150, most: 150};

const HOUR = 3_600_000;

export const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));

const play = page => page.evaluate(async () => (await ready).play());
const pause = page => page.evaluate(async () => (await ready).pause());

/** Calls a function with the element. */
const change = (page, name, value) => page.evaluate(async (name, value) => {
  (await ready)[name] = value;
}, name, value);

/** Play, a pause, a seek, double speed. */
async function script(page) {
  await play(page);
  await wait(3_000);
  await pause(page);
  await wait(1_000);
  await play(page);
  await wait(2_500);
  await change(page, "currentTime", 30);
  await wait(3_000);
  await change(page, "playbackRate", 2);
  await wait(2_500);
  await change(page, "playbackRate", 1);
  await wait(1_500);
}

/** The same in a few seconds, for the check. */
async function shortScript(page) {
  await play(page);
  await wait(1_500);
  await pause(page);
  await wait(400);
  await change(page, "currentTime", 30);
  await change(page, "playbackRate", 2);
  await play(page);
  await wait(1_500);
}

const playLive = async page => {
  await play(page);
  await wait(5_000);
  await pause(page);
  await wait(2_000);
  await play(page);
  await wait(4_000);
};

/** Shifts the clock of pages, as it is read from now on. */
const shiftClock = milliseconds => {
  const now = Date.now;
  Date.now = () => now() + milliseconds;
};

/** Plays, and closes the tab while it plays. */
const closing = act => async visit => {
  const page = await visit.open();
  await act(page);
  await visit.close(page);
};

const scripted = {name: "pause, seek and double speed", run: closing(script)};

/** Every case, by its player. */
export const CASES = [
  ...["hls", "dash", "shaka", "videojs", "element"].map(player => ({player, ...scripted})),
  {player: "hls", source: "live", name: "a live stream with a pause", run: closing(playLive)},
  {
    player: "hls",
    name: "tab closed after 17 s",
    run: closing(async page => {
      await play(page);
      await wait(17_300);
    }),
  },
  {
    player: "hls",
    name: "page left and returned to",
    async run(visit) {
      const page = await visit.open();
      await play(page);
      await wait(4_200);
      await visit.note(page);
      await page.goto(page.url().replace("player.html", "elsewhere.html"));
      await wait(1_500);
      await page.goBack();
      await play(page);
      await wait(4_200);
      await visit.close(page);
    },
  },
  {
    player: "element",
    name: "15 s without a network",
    run: closing(async page => {
      await play(page);
      await wait(4_000);
      await page.setOfflineMode(true);
      await wait(15_000);
      await page.setOfflineMode(false);
      await wait(3_000);
    }),
  },
  {
    player: "element",
    name: "closed without a network, visited again",
    async run(visit) {
      const page = await visit.open();
      await play(page);
      await wait(4_000);
      await page.setOfflineMode(true);
      await wait(2_500);
      await visit.close(page);
      await visit.close(await visit.open());
    },
  },
  {
    player: "hls",
    name: "clock set an hour ahead and back",
    run: closing(async page => {
      await play(page);
      await wait(3_000);
      await page.evaluate(shiftClock, HOUR);
      await wait(4_000);
      await page.evaluate(shiftClock, -HOUR);
      await wait(4_500);
    }),
  },
  {
    player: "hls",
    name: "clock ten minutes behind from the start",
    async run(visit) {
      const page = await visit.open({clock: -HOUR / 6});
      await play(page);
      await wait(6_000);
      await visit.close(page);
    },
  },
  {
    player: "hls",
    name: "page reloaded",
    async run(visit) {
      const page = await visit.open();
      await play(page);
      await wait(4_600);
      await visit.note(page);
      await page.reload();
      await play(page);
      await wait(4_600);
      await visit.close(page);
    },
  },
  {
    player: "hls",
    name: "hidden tab with sound",
    async run(visit) {
      const page = await visit.open();
      await play(page);
      await wait(3_000);
      const other = await visit.cover();
      await wait(13_000);
      if (!await page.evaluate(() => document.hidden)) throw Error("the tab is not hidden");
      await other.close();
      await wait(1_000);
      await visit.close(page);
    },
  },
  {
    player: "hls",
    name: "browser killed",
    limits: ONE_BEAT,
    async run(visit) {
      const page = await visit.open();
      await play(page);
      await wait(14_400);
      await visit.kill(page);
    },
  },
  {
    player: "hls",
    name: "two tabs of one person",
    async run(visit) {
      const first = await visit.open();
      const second = await visit.open();
      await play(second);
      await play(first);
      await wait(6_000);
      await visit.close(second);
      await wait(2_000);
      await visit.close(first);
    },
  },
].map(it => ({source: "vod", limits: EXACT, ...it}));

/** One for each player. */
export const SHORT_CASES = ["hls", "dash", "shaka", "videojs", "element"].map(player => ({
  player, source: "vod", limits: EXACT, name: "pause, seek, double speed, tab closed", run: closing(shortScript),
}));
