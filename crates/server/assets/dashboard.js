/* Pages work without this script. It keeps parts of a page fresh and copies texts. */
(() => {
  "use strict";
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  /* `data-refresh="5"` on an element with an id: the element is taken anew from the server every 5 s. */
  const renew = async (element) => {
    const seconds = Number(element.dataset.refresh);
    let next = element;
    try {
      const response = await fetch(location.href, {headers: {accept: "text/html"}});
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = response.ok && page.getElementById(element.id);
      if (fresh && !element.contains(document.activeElement)) {
        element.replaceWith(fresh);
        next = fresh;
        begin(fresh);
      }
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

  const begin = (root) => {
    all("[data-copy]", root).forEach(offerCopy);
  };

  begin(document);
  for (const element of all("[data-refresh]")) {
    setTimeout(renew, Number(element.dataset.refresh) * 1000, element);
  }
})();
