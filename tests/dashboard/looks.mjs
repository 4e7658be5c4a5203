// What holds for every page, whatever it shows: its HTML, its width, its colours, its paper, and axe's rules.

import {readFileSync, writeFileSync} from "node:fs";
import {join} from "node:path";

import {load} from "./browser.mjs";

const NARROW = {width: 360, height: 740};
const WIDE = {width: 1280, height: 900};

export class Looks {
  constructor(folder) {
    const {HtmlValidate, StaticConfigLoader} = load(folder, "html-validate");
    this.folder = folder;
    // The standard allows `details` in `dt`: it is flow content, and not sectioning content.
    const elements = ["html5", {details: {inherit: "details", sectioning: false}}];
    const loader = new StaticConfigLoader({root: true, extends: ["html-validate:standard"], elements});
    this.validator = new HtmlValidate(loader);
    this.axe = readFileSync(join(folder, "node_modules/axe-core/axe.min.js"), "utf8");
  }

  /** Looks at a page in each form; gives a problem a line. Pictures of it stay in the folder `pages`. */
  async at(page, html, name, sheets) {
    const file = name.replace(/[^a-z0-9]+/g, "-");
    const problems = await this.markup(html);
    problems.push(...await this.rules(page));
    await this.picture(page, `${file}-light`);
    await page.setViewportSize(NARROW);
    problems.push(...await this.width(page));
    await this.picture(page, `${file}-narrow`);
    await page.setViewportSize(WIDE);
    problems.push(...await this.dark(page, file));
    if (sheets) problems.push(...await this.paper(page, file, sheets));
    return problems;
  }

  /** Errors of the HTML, as the standard defines them. */
  async markup(html) {
    const {results} = await this.validator.validateString(html);
    const messages = results.flatMap(({messages}) => messages);
    return messages.map(({line, ruleId, message}) => `HTML, line ${line}: ${message} (${ruleId})`);
  }

  async rules(page, only) {
    await page.evaluate(this.axe);
    const found = await page.evaluate(
      only => globalThis.axe.run(document, {resultTypes: ["violations"], ...only && {runOnly: only}}),
      only,
    );
    return found.violations.flatMap(({id, nodes}) =>
      nodes.map(node => `axe, ${id}: ${node.html.slice(0, 160)} (${node.failureSummary.replace(/\s+/g, " ").slice(0, 240)})`));
  }

  /** Nothing is wider than the window. */
  async width(page) {
    const {inner, scroll, widest} = await page.evaluate(() => {
      const isWide = it => it.getBoundingClientRect().right > innerWidth && !it.closest(".scroll");
      const widest = [...document.querySelectorAll("body *")].find(isWide);
      const {scrollWidth} = document.documentElement;
      return {inner: innerWidth, scroll: scrollWidth, widest: widest?.outerHTML.slice(0, 120)};
    });
    return scroll <= inner ? [] : [`at ${NARROW.width} px it is ${scroll} px wide, for example ${widest}`];
  }

  /** The page is dark where the reader wants it, and can be read. */
  async dark(page, file) {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.emulateMedia({colorScheme: "dark"});
    const problems = await this.rules(page, ["color-contrast"]);
    if (await background() == light) problems.push("dark has the background of light");
    await this.picture(page, `${file}-dark`);
    await page.emulateMedia({colorScheme: "light"});
    return problems.map(problem => `dark: ${problem}`);
  }

  /** The number of sheets of paper. */
  async paper(page, file, most) {
    const pdf = await page.pdf({format: "A4"});
    writeFileSync(join(this.folder, "pages", `${file}.pdf`), pdf);
    const sheets = pdf.toString("latin1").match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
    return sheets >= 1 && sheets <= most ? [] : [`it prints on ${sheets} sheets, and not on ${most} at most`];
  }

  picture(page, file) {
    return page.screenshot({path: join(this.folder, "pages", `${file}.png`), fullPage: true});
  }
}
