"use strict";
// Builds the page of the document that stands in it.

const PAPER = 680; // px: the width of A4 without its margins
const HALF = 324; // px: the width of one of two charts side by side on it
const CHARTS = {
  map: traceMap,
  countries: countryMap,
  histogram,
  bars,
  lines,
  dots,
  scatter,
};
/** The members of a spec that name the columns without which a row is not drawn. */
const DRAWN = {
  countries: ["code", "value"],
  histogram: ["x0", "x1", "count"],
  bars: ["value"],
  lines: ["x", "y"],
  dots: ["value"],
  scatter: ["x", "y"],
};
const KEYS_OF_MAP =
  "+ and − zoom, arrows move, 0 shows the whole map; a wheel zooms after a click into it";
const KEYS_OF_MARKS = "N and P go from trace to trace, Enter opens its row";

const report = stored("data");
const names = { own: report.own || report.store, against: report.against };
const redraws = []; // one function a chart, which draws it anew for the window or for paper

/** The rows of a figure as objects, which know their place in the table. */
function asObjects(figure, rows) {
  return rows.map((row, index) => ({
    ...Object.fromEntries(figure.columns.map((column, at) => [column.name, row[at]])),
    index,
  }));
}

function viewOf(figure, own, width) {
  return {
    data: own,
    // In one order on either side, so that a series has one colour.
    both: [...asObjects(figure, figure.rows), ...asObjects(figure, figure.against_rows ?? [])],
    spec: figure.spec,
    width,
    column: (name) => figure.columns.find((column) => column.name === name),
  };
}

/** A tooltip: all columns of a trace or photo; of any other row what is drawn, and its n. */
function rowWords(figure, row) {
  const drawn = new Set([...Object.values(figure.spec), "n", "traces", "pairs"]);
  const all = ["map", "scatter"].includes(figure.kind);
  const lines = figure.columns
    .filter(({ name }) => (all || drawn.has(name)) && known(row[name]) && row[name] !== "")
    .map((column) => {
      const value = row[column.name];
      const text = isCountry(figure, column) ? countryText(value) : valueText(value, column);
      return element("div", {}, element("dt", {}, column.label), element("dd", {}, text));
    });
  return [element("dl", {}, lines)];
}

/** One chart, drawn for the width of its holder and anew when that changes. */
function chartOf(figure, rows, name, show) {
  const own = asObjects(figure, rows);
  const holder = element("div", { class: `chart ${figure.kind}` });
  const panel = element("div", { class: "panel" }, name ? element("h3", {}, name) : null, holder);
  const needed = (DRAWN[figure.kind] ?? []).map((member) => figure.spec[member]);
  if (!own.some((row) => needed.every((column) => known(row[column])))) {
    holder.append(element("p", { class: "empty" }, rows.length ? "No row has a value." : "No rows."));
    return panel;
  }
  let drawnAt = null;
  const draw = (width) => {
    if (width === drawnAt || width <= 0) return;
    drawnAt = width;
    const view = viewOf(figure, own, width);
    const chart = CHARTS[figure.kind](view);
    const title = name ? `${figure.title}, ${name}` : figure.title;
    const { svg } = chart;
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${title}. ${chart.summary} The table below has all rows.`);
    const focused = document.activeElement === holder;
    holder.replaceChildren(svg);
    panel.querySelectorAll(".legend, .legend-note, .zoom, .keys").forEach((node) => node.remove());
    if (chart.legend) holder.before(chart.legend);
    if (chart.legendNote) holder.before(element("p", { class: "legend-note" }, chart.legendNote));
    const map = chart.zoom ? zoomable(holder, svg, () => pointed.hide()) : null;
    const pointed = pointing(holder, svg, {
      describe: (index) => rowWords(figure, own[index]),
      light: chart.light,
      open: chart.open && show,
      reveal: map?.reveal,
    });
    const keys = [chart.zoom ? KEYS_OF_MAP : null, chart.open ? KEYS_OF_MARKS : null].filter(Boolean);
    if (map) holder.after(map.buttons);
    if (keys.length) {
      const id = `${figure.id}-${redraws.length}-keys`;
      holder.setAttribute("tabindex", "0");
      holder.setAttribute("role", "application");
      holder.setAttribute("aria-label", title);
      holder.setAttribute("aria-describedby", id);
      panel.append(element("p", { class: "keys", id }, `Keys: ${keys.join("; ")}.`));
      if (focused) holder.focus();
    }
  };
  redraws.push((paper) => {
    try {
      draw(paper ? (figure.against_rows ? HALF : PAPER) : Math.floor(holder.clientWidth));
    } catch (error) {
      // The other figures and the table of this one are still worth reading.
      console.error(figure.id, error);
      holder.replaceChildren(element("p", { class: "empty" }, `Not drawn: ${error.message}`));
    }
  });
  return panel;
}

/** A headline number, and its unit in smaller letters. */
function bigText({ value, low, high }, column) {
  const text = valueText(value, column, digitsFor(column.format, [value, low, high]));
  const at = text.lastIndexOf(THIN);
  if (at < 0) return text;
  return [text.slice(0, at + 1), element("span", { class: "unit" }, text.slice(at + 1))];
}

/** Headline numbers, each with its interval, and that of what they are compared with. */
function tiles(figure, rows, otherRows) {
  const own = asObjects(figure, rows);
  const others = new Map(asObjects(figure, otherRows ?? []).map((row) => [row.label, row]));
  const line = (row, raw, name) => {
    const column = tileColumn(figure, raw);
    const interval = intervalText(row.low, row.high, column);
    return [
      name ? element("p", { class: "of" }, name) : null,
      element("p", { class: "value" }, bigText(row, column)),
      interval ? element("p", { class: "interval" }, `95${THIN}%: ${interval}`) : null,
    ];
  };
  const raw = new Map((otherRows ?? []).map((row, index) => [index, row]));
  return element(
    "ul",
    { class: "tiles" },
    own.map((row) => {
      const other = others.get(row.label);
      return element(
        "li",
        {},
        element("p", { class: "label" }, row.label),
        element("div", {}, line(row, rows[row.index], otherRows ? names.own : null)),
        other ? element("div", { class: "other" }, line(other, raw.get(other.index), names.against)) : null,
        row.note ? element("p", { class: "tile-note" }, row.note) : null,
      );
    }),
  );
}

function drawn(figure, show) {
  const against = figure.against_rows;
  if (figure.empty !== null) return [element("p", { class: "empty" }, figure.empty)];
  if (figure.kind === "table") return [];
  if (!figure.rows.length && !against?.length) return [element("p", { class: "empty" }, "No rows.")];
  if (figure.kind === "numbers") return [tiles(figure, figure.rows, against)];
  if (figure.kind === "traces") {
    if (!against) return traceCards(figure, figure.rows);
    const other = { ...figure, id: `${figure.id}-against` };
    return [
      ...traceCards(figure, figure.rows, names.own),
      ...traceCards(other, against, names.against),
    ];
  }
  if (!against) return [chartOf(figure, figure.rows, null, (index) => show(index))];
  return [
    element(
      "div",
      { class: "beside" },
      chartOf(figure, figure.rows, names.own, (index) => show(index, 0)),
      chartOf(figure, against, names.against, (index) => show(index, 1)),
    ),
  ];
}

/** Where a trace has a card, the id of the card by the trace's name. */
const cards = new Map(
  report.figures
    .filter((figure) => figure.kind === "traces" && figure.empty === null)
    .flatMap((figure) => figure.rows.map((row) => [row.trace, cardId(figure, row)])),
);

function section(figure) {
  const title = `${figure.id}-title`;
  const hasTable = figure.kind !== "traces" && figure.empty === null;
  const table = hasTable
    ? tablesOf(figure, figure.against_rows, names, (trace) => cards.get(trace) ?? null)
    : null;
  if (table) papers.push(table);
  return element(
    "section",
    { class: `figure ${figure.kind}`, id: figure.id, "aria-labelledby": title },
    element("h2", { id: title }, figure.title),
    figure.note ? element("p", { class: "note" }, figure.note) : null,
    drawn(figure, (index, side) => table.show(index, side)),
    element("div", { class: "under" }, table?.node, figure.sql ? statementOf(figure) : null),
  );
}

const papers = []; // the tables that are opened for paper

function head() {
  const facts = [
    ["Store", report.store],
    ["Newest trace", report.newest],
    ["Of", report.filter.join("; ") || "all traces"],
    ["Against", report.against],
  ];
  return element(
    "header",
    {},
    element("h1", {}, report.title),
    report.subtitle ? element("p", { class: "subtitle" }, report.subtitle) : null,
    element(
      "dl",
      { class: "facts" },
      facts
        .filter(([, value]) => value)
        .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
    ),
    report.notes.length
      ? element("ul", { class: "notes" }, report.notes.map((note) => element("li", {}, note)))
      : null,
  );
}

function contents() {
  const links = report.figures.map((figure) =>
    element("li", {}, element("a", { href: `#${figure.id}` }, figure.title)),
  );
  return element("nav", { "aria-label": "Figures" }, element("ol", {}, links));
}

function foot() {
  return element(
    "footer",
    {},
    element("p", {}, `Made by geostore ${report.version} from ${report.store}. This file is complete: it asks no network.`),
    element(
      "details",
      {},
      element("summary", {}, "Software and data of others in this page"),
      element("pre", { tabindex: "0", role: "region", "aria-label": "Licences" }, stored("licences")),
    ),
  );
}

document.body.append(
  element("a", { class: "skip", href: "#figures" }, "Skip to the figures"),
  head(),
  contents(),
  element("main", { id: "figures", tabindex: "-1" }, report.figures.map(section)),
  foot(),
);

const fit = () => redraws.forEach((draw) => draw(false));
fit();
let waiting = null;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(fit, 100);
});

// Paper has the tables open and charts as wide as it is; afterwards the page is as it was.
let opened = [];
addEventListener("beforeprint", () => {
  onPaper = true;
  papers.forEach((table) => table.forPaper());
  opened = papers.map(({ node }) => node).filter((node) => node.open === false);
  opened.forEach((node) => (node.open = true));
  redraws.forEach((draw) => draw(true));
});
addEventListener("afterprint", () => {
  onPaper = false;
  opened.forEach((node) => (node.open = false));
  fit();
});
