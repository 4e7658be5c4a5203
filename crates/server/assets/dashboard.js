/* Pages work without this script. It copies texts, keeps parts of a page fresh, tells the values of
   the curve where one points, takes a range from the curve, and moves the figures of a live show. */
(() => {
  "use strict";
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  /* The page as it is now, from the server. */
  const fetchPage = async () => {
    const response = await fetch(location.href, {headers: {accept: "text/html"}});
    if (!response.ok) throw new Error("no page");
    return new DOMParser().parseFromString(await response.text(), "text/html");
  };

  /* Puts the element of a new page in the place of that with the same id. */
  const replace = (element, page) => {
    const fresh = page.getElementById(element.id);
    if (!fresh || element.contains(document.activeElement)) return element;
    element.replaceWith(fresh);
    begin(fresh);
    return fresh;
  };

  /* `data-refresh="5"` on an element with an id: it is taken anew from the server every 5 s. */
  const renew = async (element) => {
    const seconds = Number(element.dataset.refresh);
    let next = element;
    try {
      next = replace(element, await fetchPage());
    } catch {
      /* The server does not answer; the next round tries again. */
    }
    if (next.dataset.refresh) setTimeout(renew, seconds * 1000, next);
  };

  /* `<button data-copy="ID" hidden>` copies the text of the element with this id. */
  const offerCopy = (button) => {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      const text = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = text; }, 1500);
    });
  };

  /* The audience curve: values where one points, and a range by dragging. */
  const offerCurve = (chart) => {
    const readout = chart.querySelector("[data-readout]");
    const rows = all("#audience tbody tr").map((row) => {
      const cells = all("[data-figure]", row);
      const value = (name) => cells.find((cell) => cell.dataset.figure === name);
      return {
        at: Date.parse(JSON.parse(value("at").dataset.value)),
        text: value("at").textContent + ": " + value("peak_viewers").textContent + " viewers, "
          + value("messages").textContent + " messages, " + value("votes").textContent + " votes",
      };
    });
    for (const svg of all("svg[data-from]", chart)) pointAt(svg, rows, readout);
  };

  const pointAt = (svg, rows, readout) => {
    const [from, to, left, right] = ["from", "to", "left", "right"].map((it) => Number(svg.dataset[it]));
    const make = (name) => svg.appendChild(document.createElementNS(svg.namespaceURI, name));
    const chosen = make("rect");
    const pointer = make("path");
    chosen.setAttribute("class", "chosen");
    pointer.setAttribute("class", "pointer");
    const height = svg.viewBox.baseVal.height;
    const timeAt = (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      return from + (Math.min(Math.max(x, left), right) - left) / (right - left) * (to - from);
    };
    const place = (at) => left + (at - from) / (to - from) * (right - left);
    let start = null;
    const show = (event) => {
      const at = timeAt(event);
      const row = rows.findLast((it) => it.at <= at);
      pointer.setAttribute("d", "M" + place(at) + " 0V" + height);
      if (row) readout.textContent = row.text;
      if (start === null) return;
      const [first, last] = [Math.min(start, at), Math.max(start, at)];
      chosen.setAttribute("x", place(first));
      chosen.setAttribute("width", place(last) - place(first));
      chosen.setAttribute("height", height);
    };
    const clear = () => {
      start = null;
      pointer.removeAttribute("d");
      chosen.setAttribute("width", 0);
      readout.textContent = "Drag over the chart to choose a range.";
    };
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerleave", () => { if (start === null) clear(); });
    svg.addEventListener("pointercancel", clear);
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      event.preventDefault();
      start = timeAt(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const [first, last] = [start, timeAt(event)].sort((a, b) => a - b);
      clear();
      /* Less than a hundredth of the chart is a click. */
      if (last - first < (to - from) / 100) return;
      const second = (at) => new Date(Math.round(at / 1000) * 1000).toISOString();
      const address = new URL(location.href);
      address.searchParams.set("from", second(first));
      address.searchParams.set("to", second(last));
      location.assign(address);
    });
    clear();
  };

  /* Live figures by server-sent events. */
  const follow = (root) => {
    const state = root.querySelector("[data-stream-state]");
    const zone = root.dataset.zone;
    const count = new Intl.NumberFormat("en");
    const time = (text) => {
      const parts = new Intl.DateTimeFormat("en-GB", {
        timeZone: zone, day: "numeric", month: "short", year: "numeric",
        hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      }).formatToParts(new Date(text));
      const part = (type) => parts.find((it) => it.type === type).value;
      return part("day") + " " + part("month").slice(0, 3) + " " + part("year") + ", "
        + part("hour") + ":" + part("minute") + ":" + part("second");
    };
    const shown = (value) => {
      if (value === null) return "–";
      return typeof value === "number" ? count.format(value) : time(value);
    };
    const write = (element, value) => {
      element.dataset.value = JSON.stringify(value);
      const text = shown(value);
      if (element.textContent !== text) element.textContent = text;
    };
    const writeValues = (id, values, total) => {
      const body = root.querySelector("#" + id + " tbody");
      const empty = root.querySelector("#" + id + " .empty");
      if (empty) empty.hidden = values.length > 0;
      body.replaceChildren(...values.map((it, index) => {
        const row = document.createElement("tr");
        const cell = (name, element) => {
          const text = document.createElement("span");
          text.dataset.figure = name;
          text.dataset.row = index;
          text.dataset.value = JSON.stringify(it[name]);
          element.append(text);
          row.append(element);
          return text;
        };
        const head = document.createElement("th");
        head.scope = "row";
        cell("value", head).textContent = it.value ?? "Unknown";
        head.append(bar(it.viewers / (total || 1)));
        const number = document.createElement("td");
        number.className = "number";
        number.dataset.label = "Viewers";
        cell("viewers", number).textContent = count.format(it.viewers);
        return row;
      }));
    };
    const stream = new EventSource(root.dataset.stream);
    stream.addEventListener("audience", (event) => {
      const figures = JSON.parse(event.data);
      for (const element of all("[data-figure]:not([data-row])", root)) {
        const value = figures[element.dataset.figure];
        if (value !== undefined) write(element, value);
      }
      writeValues("device_os", figures.by.device_os, figures.viewers);
      writeValues("geo_region", figures.by.geo_region, figures.viewers);
      state.textContent = "The figures move by themselves.";
    });
    stream.addEventListener("polls", async () => {
      try {
        replace(document.getElementById("polls"), await fetchPage());
      } catch {
        /* The next change brings them. */
      }
    });
    stream.addEventListener("error", () => { state.textContent = "Waiting for the server …"; });
  };

  /* A bar as `charts::bar` makes it. */
  const bar = (share) => {
    /* In two parts, since the build takes two slashes for a comment. */
    const space = "http:/" + "/www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const attributes = {class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true"};
    for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
    const rect = svg.appendChild(document.createElementNS(space, "rect"));
    rect.setAttribute("width", Math.min(share, 1) * 100);
    rect.setAttribute("height", 8);
    return svg;
  };

  const begin = (root) => {
    all("[data-copy]", root).forEach(offerCopy);
    all("[data-curve]", root).forEach(offerCurve);
    all("[data-stream]", root).forEach(follow);
  };

  begin(document);
  for (const element of all("[data-refresh]")) {
    setTimeout(renew, Number(element.dataset.refresh) * 1000, element);
  }
})();
