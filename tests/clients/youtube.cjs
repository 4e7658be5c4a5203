// Makes and downloads bulk reports with Google's client for Node, unchanged.
//
//     NODE_PATH=…/node_modules node youtube.cjs BASE_URL TOKEN DAY REPORTS
//
// The same requests as in youtube.py: create, list, get, download, a report made again, delete.

const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { google } = require('googleapis');

const TYPE = 'event_customers_a1';
const [base, token, day, count] = process.argv.slice(2);

const auth = new google.auth.OAuth2();
auth.setCredentials({ access_token: token });
const api = google.youtubereporting({ version: 'v1', auth, rootUrl: `${base}/` });

async function main() {
  await collect('early');
  const types = (await api.reportTypes.list({ pageSize: 1 })).data;
  assert.equal(types.reportTypes.length, 1);
  assert.ok(types.nextPageToken);
  assert.deepEqual((await api.jobs.list()).data, {});

  const requestBody = { reportTypeId: TYPE, name: 'from Node' };
  const { data: job } = await api.jobs.create({ requestBody });
  assert.equal(job.name, 'from Node');
  await refused(409, () => api.jobs.create({ requestBody }));
  await refused(400, () => api.jobs.create({ requestBody: { reportTypeId: TYPE, name: 'n'.repeat(101) } }));
  assert.equal((await api.jobs.get({ jobId: job.id })).data.createTime, job.createTime);

  const reports = await wait(async () => {
    const { data } = await api.jobs.reports.list({ jobId: job.id });
    return (data.reports ?? []).length === Number(count) && data.reports;
  });
  const report = reports.find((report) => report.startTime.startsWith(day));
  assert.deepEqual((await api.jobs.reports.get({ jobId: job.id, reportId: report.id })).data, report);
  const whole = await download(report);
  assert.match(whole, /,early,/);
  assert.equal(createHash('sha256').update(whole).digest('hex'), report.sha256);
  const resourceName = report.downloadUrl.split('/v1/media/')[1].split('?')[0];
  const { data: same } = await api.media.download({ resourceName, alt: 'media' }, { responseType: 'text' });
  assert.equal(await text(same), whole);

  await collect('late');
  const createdAfter = new Date(reports[0].createTime).toISOString();
  const restated = await wait(async () => (await api.jobs.reports.list({ jobId: job.id, createdAfter })).data.reports);
  assert.equal(restated.length, 1);
  assert.equal(restated[0].supersedes, report.id);
  assert.match(await download(restated[0]), /,late,/);

  await api.jobs.delete({ jobId: job.id });
  await refused(404, () => api.jobs.get({ jobId: job.id }));
  console.log(`Node: ${reports.length} reports and a restatement`);
}

async function download(report) {
  return text((await auth.request({ url: report.downloadUrl, responseType: 'text' })).data);
}

async function text(data) {
  return typeof data === 'string' ? data : data.text();
}

async function refused(status, call) {
  await assert.rejects(call, (error) => {
    assert.equal(error.status, status);
    assert.ok(error.message.length > 10);
    return true;
  });
}

async function collect(customer) {
  const record = {
    type: 'playback', event_id: 'show', playback_id: customer, customer_id: customer,
    from: `${day}T12:00:00Z`, to: `${day}T12:01:00Z`,
  };
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${base}/collect`, { method: 'POST', headers, body: JSON.stringify(record) });
  assert.equal(answer.status, 202);
}

async function wait(look) {
  for (let round = 0; round < 240; round += 1) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error('it did not come within a minute');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
