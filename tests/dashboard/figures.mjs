// The figures of a page, compared with the API's JSON.
//
// An element with `data-figure` has the name of the figure in JSON, and in `data-value` its value. `data-source` of
// an element around it is the operation of the API; a page without it names one here. `data-row` is the place of the
// row in the answer, or its id.

import {isDeepStrictEqual} from "node:util";

/** Figures that differ from one request to the next: of the instant of the answer. Their type is compared. */
export const MOVING = new Set(["at", "settled_until", "disk_free_bytes"]);

/** The figures of a page, in its order. */
export function figuresOf(page) {
  return page.evaluate(() => [...document.querySelectorAll("[data-figure]")].map(element => ({
    name: element.dataset.figure,
    value: element.dataset.value,
    row: element.dataset.row ?? null,
    poll: element.closest("[data-poll]")?.dataset.poll ?? null,
    table: element.closest("section[id]")?.id ?? null,
    isOption: Boolean(element.closest("[data-poll] table")),
    source: element.closest("[data-source]")?.dataset.source ?? null,
    text: element.textContent.trim(),
  })));
}

/**
 * Compares every figure of a page; gives a problem a line. `get` fetches JSON of the API by its path. `source` says
 * where figures come from that have no `data-source`: `{path, value(answer, figure)}`.
 */
export async function compare(figures, get, source) {
  const answers = new Map();
  const ask = async path => {
    if (!answers.has(path)) answers.set(path, await get(path).catch(error => problems.push(error.message) && {}));
    return answers.get(path);
  };
  const problems = [];
  for (const figure of figures) {
    const {path, value} = figure.source ? {path: figure.source, value: valueOf} : source?.(figure) ?? {};
    const name = figure.row === null ? figure.name : `${figure.name} of row ${figure.row}`;
    if (!path) {
      problems.push(`${name} says not where it is from`);
      continue;
    }
    const right = value(await ask(path), figure);
    const shown = parsed(figure.value);
    const isEqual = MOVING.has(figure.name) ? typeof shown == typeof right : isDeepStrictEqual(shown, right);
    if (right === undefined || !isEqual) {
      problems.push(`${name} is ${figure.value}, ${path} says ${JSON.stringify(right)}`);
    }
    if (!figure.text && shown !== "") problems.push(`${name} has no text`);
  }
  return problems;
}

/** The value of a figure in an answer, or `undefined`. */
export function valueOf(answer, {name, row, poll, table, isOption}) {
  if (poll !== null) {
    const polls = answer.polls ?? answer.rows;
    const found = polls?.find(it => it.poll_id == poll);
    return (isOption ? found?.options[row] : found)?.[name];
  }
  if (row === null) return answer[name];
  const rows = answer.rows ?? answer.events ?? answer.reports ?? answer.by?.[table] ?? [];
  const found = rows.find(it => it.id === row) ?? rows[row];
  return found && name in found ? found[name] : found?.figures?.[name];
}

function parsed(value) {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
