
"use strict";
// Everything is on the page without this: it only sorts, filters, and finds a bar's row.
const byText = new Intl.Collator("en", { numeric: true }).compare;
const unknown = (value) => value === "\u2013" || value === "";
const bodies = (section) => Array.from(section.querySelectorAll("tbody"));
const rowsOf = (section) => bodies(section).flatMap((body) => Array.from(body.rows));

function compare(one, other) {
  return typeof one === "number" && typeof other === "number" ? one - other : byText(one, other);
}

// A long table is two: the rows are dealt out again over both.
function sortBy(heading) {
  const section = heading.closest("section");
  const at = heading.cellIndex;
  const up = heading.getAttribute("aria-sort") !== "ascending";
  const key = (row) => {
    const cell = row.cells[at];
    return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
  };
  const rows = rowsOf(section).map((row) => [key(row), row]);
  rows.sort(([one], [other]) => {
    // What is not recorded stands last, whichever way one sorts.
    if (unknown(one) || unknown(other)) return unknown(one) - unknown(other);
    return up ? compare(one, other) : -compare(one, other);
  });
  const sizes = bodies(section).map((body) => body.rows.length);
  let from = 0;
  bodies(section).forEach((body, number) => {
    body.append(...rows.slice(from, from + sizes[number]).map(([, row]) => row));
    from += sizes[number];
  });
  for (const other of section.querySelectorAll("th")) {
    other.removeAttribute("aria-sort");
    if (other.cellIndex === at) other.setAttribute("aria-sort", up ? "ascending" : "descending");
  }
}

for (const heading of document.querySelectorAll("th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = heading.textContent.trim();
  button.addEventListener("click", () => sortBy(heading));
  heading.replaceChildren(button);
}

const form = document.getElementById("filters");
if (form) {
  const section = form.closest("section");
  const rest = section.querySelector("details");
  const column = {};
  for (const heading of section.querySelector("thead").rows[0].cells) {
    column[heading.dataset.key] = heading.cellIndex;
  }
  const rows = rowsOf(section);
  const bars = new Map(
    Array.from(section.querySelectorAll("rect[data-n]"), (bar) => [Number(bar.dataset.n), bar]),
  );
  const fields = ["resource", "subject", "lane"];
  const values = rows.map((row) => fields.map((name) => row.cells[column[name]].textContent.trim()));
  fields.forEach((name, at) => {
    const found = Array.from(new Set(values.map((row) => row[at]))).sort(byText);
    form.elements[name].append(...found.map((value) => new Option(value, value)));
  });
  const picture = section.querySelector("svg");
  const pillars = picture.querySelector(".pillars");
  const { left, column: width, floor } = Object.fromEntries(
    ["left", "column", "floor"].map((name) => [name, Number(picture.dataset[name])]),
  );
  const tall = (count) => Math.ceil((count * pillars.dataset.tallest) / pillars.dataset.most);
  // The same pillars as those that the page came with, of the bars that are shown.
  const count = () => {
    const counts = new Map();
    for (const bar of bars.values()) {
      if (bar.classList.contains("off")) continue;
      const at = Math.floor((Number(bar.getAttribute("x")) - left) / width);
      if (!counts.has(at)) counts.set(at, [0, 0]);
      counts.get(at)[Number(bar.classList.contains("b"))] += 1;
    }
    const made = [];
    for (const [at, found] of counts) {
      let from = floor;
      found.forEach((number, kind) => {
        if (!number) return;
        const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        from -= tall(number);
        const place = { x: left + at * width + 1, y: from, width: width - 2, height: tall(number) };
        for (const [name, value] of Object.entries(place)) rect.setAttribute(name, value);
        rect.classList.add("rb"[kind]);
        made.push(rect);
      });
    }
    pillars.replaceChildren(...made);
  };
  const output = form.querySelector("output");
  const apply = () => {
    const wanted = fields.map((name) => form.elements[name].value);
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let here = 0;
    rows.forEach((row, at) => {
      let shown = wanted.every((value, field) => value === "" || value === values[at][field]);
      if (shown && words.length) {
        const text = row.textContent.toLowerCase();
        shown = words.every((word) => text.includes(word));
      }
      if (row.hidden === shown) row.hidden = !shown;
      bars.get(at)?.classList.toggle("off", !shown);
      here += shown;
    });
    if (rest && here < rows.length) rest.open = true;
    count();
    output.textContent = `${here.toLocaleString("en")} of ${rows.length.toLocaleString("en")} grants shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  const pointed = document.getElementById("pointed");
  const words = ["grant", "subject", "access", "issuedAt", "endedAt", "outcome"];
  picture.addEventListener("pointerover", (event) => {
    const row = rows[Number(event.target.dataset.n)];
    pointed.hidden = !row;
    if (row) pointed.textContent = words.map((name) => row.cells[column[name]].textContent.trim()).join(" · ");
  });
  picture.addEventListener("click", (event) => {
    const row = rows[Number(event.target.dataset.n)];
    if (!row) return;
    for (const other of section.querySelectorAll("tr.shown")) other.classList.remove("shown");
    row.classList.add("shown");
    if (row.closest("details")) rest.open = true;
    row.scrollIntoView({ block: "center" });
  });
  form.hidden = false;
  apply();
}
