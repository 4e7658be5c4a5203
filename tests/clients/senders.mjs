// Libraries of others, unchanged, send to the product; the reports equal what was sent.
//
//     NODE_PATH is not read by modules, so this file is run from a folder beside node_modules:
//     node senders.mjs BASE_URL COLLECT_KEY REPORT_TOKEN
//
// - cloudevents: records in structured, batch and binary mode.
// - @segment/analytics-node: calls about playing, and others.
// - @svta/cml-cmcd: the reporter that hls.js, dash.js and Shaka Player have inside. Its collector
//   answers each body with 503 at first, so that every line is sent twice.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Analytics } from '@segment/analytics-node';
import { CmcdReporter } from '@svta/cml-cmcd';
import { CloudEvent, HTTP } from 'cloudevents';

const [base, key, token] = process.argv.slice(2);

await sendCloudEvents();
await sendSegment();
await sendCmcd();

async function sendCloudEvents() {
  const sentAt = new Date(Date.now() - 60_000).toISOString();
  const event = (id) => new CloudEvent({
    type: 'com.example.chat', source: '/app',
    data: { event_id: 'events', message_id: id, sent_at: sentAt, text: 'hello', customer_id: 'ada' },
  });
  const headers = { authorization: `Bearer ${key}` };
  const send = async (message) => {
    const url = `${base}/collect`;
    const answer = await fetch(url, { method: 'POST', headers: { ...message.headers, ...headers }, body: message.body });
    assert.equal(answer.status, 202);
    return answer.json();
  };
  assert.deepEqual(await send(HTTP.structured(event('m1'))), { accepted: 1, rejected: [] });
  assert.deepEqual(await send(HTTP.binary(event('m2'))), { accepted: 1, rejected: [] });
  const batch = [event('m3'), event('m4')];
  const type = { 'content-type': 'application/cloudevents-batch+json' };
  assert.deepEqual(await send({ headers: type, body: JSON.stringify(batch) }), { accepted: 2, rejected: [] });
  const rows = await report('events', 'CHAT_HISTORIES');
  assert.deepEqual(rows.map((row) => row.message_id), ['m1', 'm2', 'm3', 'm4']);
  console.log('cloudevents: 4 messages in 3 modes');
}

async function sendSegment() {
  const analytics = new Analytics({ writeKey: key, host: base, flushAt: 3 });
  const begin = Date.now() - 600_000;
  const script = [
    [0, 'Playback Started', true], [10_000, 'Content Playing', true], [12_345, 'Playback Paused', false],
    [20_000, 'Playback Resumed', true], [30_000, 'Content Playing', true], [31_500, 'Playback Completed', false],
  ];
  analytics.identify({ userId: 'ada', traits: { plan: 'free' } });
  for (const [after, event] of script) {
    analytics.track({
      userId: 'ada', anonymousId: 'phone', event: `Video ${event}`, timestamp: new Date(begin + after),
      properties: { session_id: 'tab', content_asset_id: 'segment', position: after / 1000 },
    });
  }
  analytics.track({ userId: 'ada', event: 'Order Completed' });
  await analytics.closeAndFlush();
  const playing = script.slice(0, -1).map(([after, , plays], at) => (plays ? script[at + 1][0] - after : 0));
  await watched('segment', sum(playing), { playback_id: 'tab', customer_id: 'ada', device_id: 'phone' });
}

async function sendCmcd() {
  const lines = new Map();
  const refused = new Set();
  const requester = async ({ url, method, headers, body }) => {
    for (const line of body.split('\n')) lines.set(line, beat(line));
    // The first answer is that of a server that is overloaded, half of the time after it has stored the body.
    if (!refused.has(body)) {
      refused.add(body);
      if (refused.size % 2 === 0) assert.equal((await fetch(url, { method, headers, body })).status, 204);
      return { status: 503 };
    }
    const answer = await fetch(url, { method, headers, body });
    assert.equal(answer.status, 204);
    assert.equal(await answer.text(), '');
    return answer;
  };
  const sid = crypto.randomUUID();
  const target = { url: `${base}/collect/cmcd?key=${key}&customer=ada`, events: ['ps', 't'], interval: 0.3, batchSize: 1,
    enabledKeys: ['sid', 'cid', 'sn', 'ts', 'e', 'v', 'sta'] };
  const reporter = new CmcdReporter({ sid, cid: 'cmcd', eventTargets: [target] }, requester);
  reporter.start();
  for (const [state, ms] of [['s', 50], ['p', 900], ['r', 120], ['p', 500], ['a', 250], ['p', 650], ['e', 20]]) {
    reporter.update({ sta: state });
    await sleep(ms);
  }
  reporter.stop();
  for (let round = 0; round < 20; round += 1) {
    reporter.flush();
    await sleep(20);
  }
  const beats = [...lines.values()].sort((one, other) => one.sn - other.sn);
  assert.deepEqual(beats.map(({ sn }) => sn), beats.map((_, at) => at));
  const playing = beats.slice(0, -1).map(({ sta, ts }, at) => (sta === 'p' ? beats[at + 1].ts - ts : 0));
  assert.ok(Math.abs(sum(playing) - 2050) < 200, `${sum(playing)} ms were played`);
  await watched('cmcd', sum(playing), { playback_id: sid, customer_id: 'ada' });
}

// A line, read by hand: none of its texts has a comma.
function beat(line) {
  const { sn, ts, sta } = Object.fromEntries(line.split(',').map((pair) => pair.split('=')));
  return { sn: Number(sn), ts: Number(ts), sta };
}

async function watched(event, ms, view) {
  const rows = await report(event, 'WATCH_TIME');
  assert.equal(rows.length, 1);
  for (const [column, value] of Object.entries(view)) assert.equal(rows[0][column], value);
  assert.equal(rows[0].watch_seconds, (ms / 1000).toFixed(3));
  console.log(`${event}: ${ms} ms, as computed from what was sent`);
}

// The rows of a report, as objects.
async function report(event, dimension) {
  const post = async (path, body) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.equal(answer.status, 200);
    return (await answer.json()).reports[0];
  };
  const path = '/bv/analytics/v1/events/reports';
  const entry = { dimension: `REPORT_DIMENSION_${dimension}` };
  let made = await post(path, { id: event, type: 'EVENT_TYPE_LIVE', dimension_with_conditions: [entry] });
  for (let round = 0; made.status === 'EVENT_REPORT_STATUS_RUNNING' && round < 240; round += 1) {
    await sleep(100);
    made = await post(`${path}:batch-get`, { reports: [{ id: made.id }] });
  }
  assert.equal(made.status, 'EVENT_REPORT_STATUS_SUCCEEDED');
  const [header, ...rows] = (await (await fetch(made.uri)).text()).trimEnd().split('\n').map((row) => row.split(','));
  return rows.map((row) => Object.fromEntries(header.map((name, at) => [name, row[at]])));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
