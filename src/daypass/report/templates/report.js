
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
    Array.from(section.querySelectorAll("rect"), (bar) => [Number(bar.dataset.n), bar]),
  );
  const fields = ["resource", "subject", "lane"];
  const values = rows.map((row) => fields.map((name) => row.cells[column[name]].textContent.trim()));
  fields.forEach((name, at) => {
    const found = Array.from(new Set(values.map((row) => row[at]))).sort(byText);
    form.elements[name].append(...found.map((value) => new Option(value, value)));
  });
  const output = form.querySelector("output");
  const apply = () => {
    const wanted = fields.map((name) => form.elements[name].value);
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    rows.forEach((row, at) => {
      let shown = wanted.every((value, field) => value === "" || value === values[at][field]);
      if (shown && words.length) {
        const text = row.textContent.toLowerCase();
        shown = words.every((word) => text.includes(word));
      }
      if (row.hidden === shown) row.hidden = !shown;
      bars.get(at)?.classList.toggle("off", !shown);
      left += shown;
    });
    if (rest && left < rows.length) rest.open = true;
    output.textContent = `${left.toLocaleString("en")} of ${rows.length.toLocaleString("en")} grants shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  section.querySelector("svg").addEventListener("click", (event) => {
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
