"use strict";
// The table under a chart: the same rows, in the same order.

const BUILT_AT_ONCE = 100; // rows; a longer table is made when it is opened
const PRINTED = 40; // rows of a table on paper

/** What a table shows: its columns, rows, and how each cell is written. */
function tableOf(figure, rows, caption, cardOf, alone) {
  const digits = figure.columns.map((column, at) =>
    digitsFor(column.format, rows.map((row) => row[at])),
  );
  const texts = (row) =>
    figure.columns.map((column, at) => {
      if (figure.kind === "numbers") return tileCell(figure, row, column, at);
      return cellText(row[at], column.format, digits[at]);
    });
  const head = element(
    "tr",
    {},
    figure.columns.map((column, at) =>
      element("th", { scope: "col", class: sideOf(figure, column, rows, at) }, headingText(column)),
    ),
  );
  const sides = figure.columns.map((column, at) => sideOf(figure, column, rows, at));
  const body = element("tbody");
  const table = element(
    "table",
    {},
    element("caption", { class: alone ? "unseen" : null }, caption),
    element("thead", {}, head),
    body,
  );
  const build = (end) => {
    for (let index = body.children.length; index < Math.min(end, rows.length); index += 1) {
      const cells = texts(rows[index]).map((text, at) => {
        const card = figure.columns[at].name === "trace" ? cardOf(rows[index][at]) : null;
        const content = card ? element("a", { href: `#${card}` }, text) : text;
        return element("td", { class: sides[at] }, content);
      });
      const name = index < PRINTED ? null : "not-printed";
      body.append(element("tr", { class: name, tabindex: "-1" }, cells));
    }
  };
  if (rows.length <= BUILT_AT_ONCE) build(rows.length);
  const rest = rows.length - PRINTED;
  const scroller = element(
    "div",
    { class: "scroller", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` },
    table,
    rest > 0
      ? element("p", { class: "on-paper" }, `The page holds ${plural(rest, "more row")}.`)
      : null,
  );
  return { node: scroller, build, rowAt: (index) => body.children[index] };
}

function sideOf(figure, column, rows, at) {
  if (figure.kind === "numbers" && ["value", "low", "high"].includes(column.name)) return "number";
  return NUMERIC.has(column.format) ? "number" : null;
}

/** A cell of headline numbers, each of which has a format of its own. */
function tileCell(figure, row, column, at) {
  if (!["value", "low", "high"].includes(column.name)) return cellText(row[at], column.format, 0);
  return valueText(row[at], tileColumn(figure, row));
}

/** The format of one headline number as a column: "km", or with a unit of its own "money USD". */
function tileColumn(figure, row) {
  const at = figure.columns.findIndex((column) => column.name === "format");
  const [format, unit] = String(row[at] ?? "text").split(" ");
  return { label: "", format, unit: unit ?? "" };
}

/** All tables of a figure behind one line that opens them. */
function tablesOf(figure, against, names, cardOf) {
  const own = captionOf(figure, against && names.own);
  const tables = [tableOf(figure, figure.rows, own, cardOf, !against)];
  if (against) tables.push(tableOf(figure, against, captionOf(figure, names.against), cardOf));
  const nodes = tables.map((table) => table.node);
  const buildAll = () => tables.forEach((table) => table.build(Infinity));
  const forPaper = () => tables.forEach((table) => table.build(PRINTED));
  if (figure.kind === "table") {
    buildAll();
    return { node: element("div", { class: "table" }, nodes), forPaper };
  }
  const count = plural(figure.rows.length, "row") + (against ? `, ${against.length} against` : "");
  const details = element(
    "details",
    { class: "table" },
    element("summary", {}, "Table ", element("span", { class: "count" }, count)),
    nodes,
  );
  details.addEventListener("toggle", () => details.open && buildAll());
  return {
    node: details,
    forPaper,
    /** Opens the table at one of its rows. */
    show: (index, side = 0) => {
      details.open = true;
      buildAll();
      for (const row of details.querySelectorAll("tr.shown")) row.classList.remove("shown");
      const row = tables[side].rowAt(index);
      row.classList.add("shown");
      row.scrollIntoView({ block: "center" });
      row.focus({ preventScroll: true });
    },
  };
}

const captionOf = (figure, name) => (name ? `${figure.title}: ${name}` : figure.title);

/** The statement of a figure behind one line that opens it. */
function statementOf(figure) {
  const code = element("code", {}, figure.sql);
  const select = button("Select the statement", {}, () => getSelection().selectAllChildren(code));
  const named = figure.question
    ? element("p", {}, "In a terminal: ", element("code", {}, `geostore query ${figure.question}`))
    : null;
  return element(
    "details",
    { class: "sql" },
    element("summary", {}, "SQL"),
    named,
    element("pre", { tabindex: "0", role: "region", "aria-label": `SQL of ${figure.title}` }, code),
    select,
  );
}
