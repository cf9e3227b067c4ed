"use strict";
// The table under a chart: the same rows, in the same order.

const BUILT_AT_ONCE = 100; // rows; a longer table is made when it is opened
const PRINTED = 24; // rows of a table on paper: a page holds it in one piece
const PRINTED_OF_TRACES = 12; // where rows are traces or photos, of which the chart says more

let onPaper = false; // while the page is printed

const printedOf = (figure) => (["map", "scatter"].includes(figure.kind) ? PRINTED_OF_TRACES : PRINTED);

/** What a table shows: its columns, rows, and how each cell is written. */
function tableOf(figure, rows, name, cardOf) {
  const caption = name ? `${figure.title}: ${name}` : figure.title;
  const columns = figure.columns
    .map((column, at) => ({ ...column, at }))
    .filter(({ name }) => figure.kind !== "numbers" || name !== "format");
  const digits = columns.map(({ format, at }) => digitsFor(format, rows.map((row) => row[at])));
  const sides = columns.map((column) => sideOf(figure, column));
  const cellOf = (row, column, place) => {
    const value = row[column.at];
    if (isTileValue(figure, column)) return tileCell(figure, row, value);
    if (isCountry(figure, column) && known(value)) return countryText(value);
    const text = cellText(value, column.format, digits[place]);
    const card = column.name === "trace" ? cardOf(value) : null;
    return card ? element("a", { href: `#${card}` }, text) : text;
  };
  const headings = columns.map((column, place) =>
    element("th", { scope: "col", class: sides[place] }, headingText(column)),
  );
  const body = element("tbody");
  const table = element(
    "table",
    {},
    element("caption", { class: name ? null : "unseen" }, name ?? caption),
    element("thead", {}, element("tr", {}, headings)),
    body,
  );
  const printed = printedOf(figure);
  const build = (end) => {
    for (let index = body.children.length; index < Math.min(end, rows.length); index += 1) {
      const cells = columns.map((column, place) =>
        element("td", { class: sides[place] }, cellOf(rows[index], column, place)),
      );
      const name = index < printed ? null : "not-printed";
      body.append(element("tr", { class: name, tabindex: "-1" }, cells));
    }
  };
  if (rows.length <= BUILT_AT_ONCE) build(rows.length);
  const rest = rows.length - printed;
  const more = `The page holds ${plural(rest, "more row")}.`;
  const scroller = element(
    "div",
    { class: "scroller", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` },
    table,
    rest > 0 ? element("p", { class: "on-paper" }, more) : null,
  );
  return { node: scroller, build, rowAt: (index) => body.children[index] };
}

/** Does a column hold the codes that a map of countries colours? */
const isCountry = (figure, column) =>
  figure.kind === "countries" && column.name === figure.spec.code;

const isTileValue = (figure, column) =>
  figure.kind === "numbers" && ["value", "low", "high"].includes(column.name);

const sideOf = (figure, column) =>
  isTileValue(figure, column) || NUMERIC.has(column.format)
    ? "number"
    : column.name === "trace"
      ? "name"
      : null;

/** A cell of headline numbers, each of which has a format of its own. */
function tileCell(figure, row, value) {
  const column = tileColumn(figure, row);
  const [, ...numbers] = row;
  return valueText(value, column, digitsFor(column.format, numbers));
}

/** The format of one headline number as a column: "km", or with a unit of its own "money USD". */
function tileColumn(figure, row) {
  const at = figure.columns.findIndex((column) => column.name === "format");
  const [format, unit] = String(row[at] ?? "text").split(" ");
  return { label: "", format, unit: unit ?? "" };
}

/** All tables of a figure behind one line that opens them. */
function tablesOf(figure, against, names, cardOf) {
  const tables = [tableOf(figure, figure.rows, against && names.own, cardOf)];
  if (against) tables.push(tableOf(figure, against, names.against, cardOf));
  const nodes = element("div", { class: "tables" }, tables.map((table) => table.node));
  const buildAll = () => tables.forEach((table) => table.build(Infinity));
  const forPaper = () => tables.forEach((table) => table.build(printedOf(figure)));
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
  details.addEventListener("toggle", () => details.open && !onPaper && buildAll());
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
