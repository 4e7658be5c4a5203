// The pages of a signed-in admin, and where their figures come from.

import {valueOf} from "./figures.mjs";

/** The newest report of the newest day of a job. */
function newest({reports}, {name}) {
  const order = it => it.startTime + it.createTime;
  const found = reports.toSorted((one, other) => order(other).localeCompare(order(one)))[0];
  return name == "row_count" ? found?.rowCount : found?.[name];
}

/**
 * Every kind of page. `show` is the event of the demo, `recording` its recording, `poll` one of its polls, `report` and
 * `job` the ids of a finished report and of a job. `status` is that of the answer, where it is not 200. `sheets` is
 * how many sheets of paper the page may fill.
 */
export function pagesOf({show, recording, poll, report, job}) {
  const at = `/events/${show}`;
  const ofReports = () => ({path: "/api/v1/reports?page_size=100", value: valueOf});
  return [
    {name: "shows", path: "/", sheets: 2},
    {name: "shows, found none", path: "/?q=no-show-has-this"},
    {name: "show", path: at, sheets: 2},
    {name: "show beside another", path: `${at}?with=${recording}`},
    {name: "show in an empty range", path: `${at}?from=2001-01-01&to=2001-01-02`},
    {name: "people", path: `${at}/people`},
    {name: "people, 75 percent", path: `${at}/people?minimum=75`},
    {name: "chat", path: `${at}/chat`},
    {name: "polls", path: `${at}/polls`, sheets: 2},
    {name: "votes", path: `${at}/polls?poll=${poll}`},
    {name: "retention", path: `/events/${recording}/retention`},
    {name: "live, ended", path: `${at}/live`},
    {name: "live on the wall", path: `${at}/live?wall`},
    {name: "share links", path: `${at}/shares`},
    {name: "reports", path: "/reports", source: ofReports},
    {
      name: "report before making",
      path: `/reports?event_id=${show}&dimension=attendance&preview=1`,
      // The rows are compared with those of the file, by the task that makes it.
      source: figure => figure.row?.length > 5 ? ofReports() : {isOfFile: true},
    },
    {name: "report", path: `/reports/${report}`, source: () => ({path: `/api/v1/reports/${report}`, value: valueOf})},
    {name: "report, delete", path: `/reports/${report}/delete`},
    {name: "jobs", path: "/jobs", source: ({row}) => ({path: `/v1/jobs/${row}/reports`, value: newest})},
    {name: "job", path: `/jobs/${job}`, source: () => ({path: `/v1/jobs/${job}/reports`, value: valueOf})},
    {name: "install", path: `/install?event_id=${show}`},
    {name: "organisation", path: "/organisation"},
    {name: "status", path: "/status", source: () => ({path: "/api/v1/status", value: valueOf})},
    {name: "no such show", path: "/events/no-such-show", status: 404},
    {name: "no such page", path: "/no-such-page", status: 404},
    {name: "wrong range", path: `${at}?from=yesterday`, status: 400},
  ];
}
