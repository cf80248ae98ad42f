// Switches pages, sorts and filters tables. Without it the page shows all of them, one after the other.
"use strict";
(() => {
  const FILTERED = 10;  // rows from which on a table gets a filter
  const ORDERS = { text: ["ascending", "descending"], number: ["descending", "ascending"] };
  const letters = new Intl.Collator("en", { numeric: true });
  const pages = [...document.querySelectorAll("main > section")];
  const links = [...document.querySelectorAll("nav a")];
  const title = document.title;

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // Pages. "until-found": the browser's own search still looks into the hidden ones.

  const target = () => document.getElementById(location.hash.slice(1));
  const wanted = () => pages.find(page => page.contains(target())) || pages[0];

  function show(page) {
    for (const other of pages) {
      if (other === page) other.removeAttribute("hidden");
      else other.setAttribute("hidden", "until-found");
    }
    for (const link of links) {
      if (link.hash === `#${page.id}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const list = document.querySelector("nav");
    const mark = list.querySelector("[aria-current]").getBoundingClientRect(), frame = list.getBoundingClientRect();
    list.scrollLeft += mark.left - frame.left - (frame.width - mark.width) / 2;
    document.title = `${page.querySelector("h2").textContent.trim()} · ${title}`;
  }

  function follow() {
    const page = wanted();
    show(page);
    page.querySelector("h2").focus({ preventScroll: true });
    (target() || page).scrollIntoView();
  }

  for (const page of pages) {
    page.querySelector("h2").tabIndex = -1;
    page.addEventListener("beforematch", () => {
      show(page);
      history.replaceState(null, "", `#${page.id}`);
    });
  }
  document.querySelector(".skip").addEventListener("click", event => {
    event.preventDefault();  // the address stays that of the page
    pages.find(page => !page.hidden).querySelector("h2").focus();
  });
  window.addEventListener("hashchange", follow);
  document.documentElement.classList.add("switched");
  show(wanted());

  // Sorting: a first click orders, a second one the other way round, a third one as it was.

  function valueOf(row, at, numeric) {
    const cell = row.cells[at];
    if (numeric) return "v" in cell.dataset ? Number(cell.dataset.v) : null;
    const words = cell.textContent.trim();
    return words === "" || words === "–" ? null : words;
  }

  function compare(one, other, sign) {
    if (one === null || other === null) return (one === null) - (other === null);  // the missing last
    if (one === other) return 0;
    return sign * (typeof one === "number" ? one - other : letters.compare(one, other));
  }

  function sort(table, rows, head, at) {
    const numeric = head.classList.contains("n"), order = ORDERS[numeric ? "number" : "text"];
    const now = order[order.indexOf(head.getAttribute("aria-sort")) + 1];
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    if (now) head.setAttribute("aria-sort", now);
    const sign = now === "ascending" ? 1 : -1;
    const keyed = rows.map(row => [valueOf(row, at, numeric), row]);
    if (now) keyed.sort((one, other) => compare(one[0], other[0], sign));
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  }

  function makeSortable(table, rows) {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      if (head.tagName !== "TH") return;  // nothing to press where there is no heading
      const button = make("button", { type: "button" }, ...head.childNodes);
      button.addEventListener("click", () => sort(table, rows, head, at));
      head.append(button);
    });
  }

  // Filtering: rows that hold every word, in any case and with or without accents.

  const plain = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  function makeFiltered(table, rows) {
    const name = table.caption.textContent.trim(), texts = rows.map(row => plain(row.textContent));
    const box = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    box.setAttribute("aria-label", `Filter rows of ${name}`);
    const count = make("span", { className: "count", role: "status" });
    box.addEventListener("input", () => {
      const words = plain(box.value).split(/\s+/);
      rows.forEach((row, i) => { row.hidden = !words.every(word => texts[i].includes(word)); });
      const left = rows.filter(row => !row.hidden).length;
      count.textContent = box.value.trim() ? `${left} of ${rows.length} rows` : "";
    });
    const tools = make("span", { className: "tools" }, count, make("label", {}, "Filter rows ", box));
    table.caption.firstElementChild.append(tools);
  }

  for (const table of document.querySelectorAll("main table")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length > 1) makeSortable(table, rows);
    if (rows.length > FILTERED) makeFiltered(table, rows);
  }

  // What scrolls can be reached by the keyboard, and only that.

  const sized = new ResizeObserver(entries => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll(".scroll, .pan")) sized.observe(box);

  // Paper gets what CSS alone cannot open in every browser.

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open], .long)")];
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
  const print = make("button", { type: "button", className: "print" }, "Print all pages");
  print.addEventListener("click", () => window.print());
  document.querySelector(".side").append(print);
})();
