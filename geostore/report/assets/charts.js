"use strict";
// Charts, one function a kind. Each gets a view of a figure and gives an SVG, the symbols that its
// legend explains, and the sentence that stands for the chart where it cannot be seen.
//
// A view: `data` (rows as objects), `both` (these and the rows compared with, so that two charts side
// by side have the same scales), `spec`, `column(name)`, and the `width` in px.

const SERIES = ["series-1", "series-2", "series-3", "series-4", "series-5"]; // classes of report.css
const SYMBOLS = ["circle", "square", "triangle", "diamond", "cross"];
const TEXT = { fontSize: "12px", fontFamily: "inherit" };
const LABELS = 0.38; // share of the width that labels beside bars may take
const FAR = 0.6; // a line whose lowest value is this share of its highest needs no zero

/**
 * A chart as Plot draws it, without the style element that the page's policy would refuse. Plot names
 * the parts of a chart for readers of the screen, for whom here one sentence stands for the whole: so
 * the names become `data-part`, by which the style sheet knows them.
 */
function plotted(options) {
  const svg = Plot.plot({ style: TEXT, ...options });
  svg.querySelector("style")?.remove();
  for (const part of svg.querySelectorAll("[aria-label]")) {
    part.dataset.part = part.getAttribute("aria-label");
    part.removeAttribute("aria-label");
  }
  return svg;
}

const distinct = (data, name) => [...new Set(data.map((row) => row[name]))];

/** Is a row of this series? */
const of = (spec, value) => (row) => !spec.series || row[spec.series] === value;

/** The symbol of a series; where colours come again, symbols do not. */
const symbolOf = (at) => SYMBOLS[(at + Math.floor(at / SERIES.length)) % SYMBOLS.length];

const color = (at) => `var(--${SERIES[at % SERIES.length]})`;

/** The series of a chart in their order, or one without a name. */
function seriesOf({ spec, both }) {
  return spec.series ? distinct(both, spec.series) : [null];
}

function seriesLegend({ spec, column }, series, draw) {
  if (!spec.series) return null;
  const name = (value) => valueText(value, column(spec.series));
  return legend(series.map((value, at) => ({ name: name(value), symbol: draw(at) })));
}

/** A symbol as charts draw it. */
function symbolSwatch(at, line) {
  const path = d3.symbol(d3[`symbol${capital(symbolOf(at))}`], 44)();
  return drawing(
    "svg",
    { class: `swatch ${SERIES[at % SERIES.length]}`, viewBox: "-11 -7 22 14", "aria-hidden": "true" },
    line ? drawing("line", { x1: -11, x2: 11, y1: 0, y2: 0 }) : null,
    drawing("path", { d: path }),
  );
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** Smallest and largest of these columns, with zero where `zero` says so. */
function extentOf(data, names, zero) {
  const values = data.flatMap((row) => names.filter(Boolean).map((name) => row[name]));
  return d3.extent([...values.filter(known), ...(zero ? [0] : [])]);
}

/**
 * A row of the chart for each label, a lane in it for each series. Labels stand at the left, or above
 * their lanes where they are too long for that.
 */
function labelledRows(view, series, lane) {
  const { data, spec, width } = view;
  const labels = distinct(data, spec.label);
  const text = (value) => cellText(value, view.column(spec.label).format, 0);
  const longest = Math.max(...labels.map((value) => textWidth(text(value))));
  const above = longest > width * LABELS;
  const inner = series.length * lane;
  const gap = above ? 26 : series.length > 1 ? 14 : 7;
  const place = { fy: spec.label, y: spec.series ?? (() => null) };
  const at = above
    ? { frameAnchor: "top-left", textAnchor: "start", dy: 9 }
    : { frameAnchor: "left", textAnchor: "end", dx: -10 };
  return {
    place,
    left: above ? 1 : Math.ceil(longest) + 14,
    options: {
      height: labels.length * (inner + gap) + 46,
      marginTop: 4,
      marginBottom: 42,
      // Rows touch, so that the lines of the grid go through; the gap is inside each.
      fy: { domain: labels, axis: null, padding: 0 },
      y: {
        domain: series,
        axis: null,
        padding: 0,
        type: "band",
        insetTop: above ? gap - 4 : gap / 2,
        insetBottom: above ? 4 : gap / 2,
      },
    },
    names: Plot.text(labels, { fy: (value) => value, text: (value) => clipped(text(value), width - 8), ...at }),
  };
}

/** So many ticks that their texts do not touch. */
const ticksFor = (width, each = 80) => Math.max(2, Math.floor(width / each));

const axisTitle = (title, column) => title || headingText(column);

/** What value axes have in common: title, ticks, a grid. A count has ticks at whole numbers alone. */
function valueAxis(view, name, title, width, most = ticksFor(width)) {
  const column = view.column(name);
  const largest = d3.max(view.both, (row) => Math.abs(row[name])) ?? 0;
  return {
    label: axisTitle(title, column),
    tickFormat: tickText(column),
    ticks: column.format === "int" ? Math.max(1, Math.min(most, largest)) : most,
    grid: true,
    labelArrow: "none",
  };
}

/** "highest A (12 km), lowest B (3 km)". */
function extremes(view, name, describe = (row) => labelAndSeries(view, row)) {
  const data = view.data.filter((row) => known(row[name]));
  if (!data.length) return "no values";
  const say = (row) => `${describe(row)} (${valueText(row[name], view.column(name))})`;
  const high = d3.greatest(data, (row) => row[name]);
  const low = d3.least(data, (row) => row[name]);
  return data.length === 1 ? say(high) : `highest ${say(high)}, lowest ${say(low)}`;
}

function labelAndSeries({ spec, column }, row) {
  const parts = [spec.label ?? spec.x, spec.series].filter(Boolean);
  return parts.map((name) => valueText(row[name], column(name))).join(", ");
}

/** Horizontal bars with their values written beside them, and whiskers for intervals. */
function bars(view) {
  const { data, both, spec, column, width } = view;
  const series = seriesOf(view);
  const { place, left, options, names: labels } = labelledRows(view, series, spec.series ? 15 : 19);
  const [least, most] = extentOf(both, [spec.value, spec.high], true);
  const digits = digitsFor(column(spec.value).format, both.map((row) => row[spec.value]));
  const text = (row) => cellText(row[spec.value], column(spec.value).format, digits);
  const right = Math.ceil(Math.max(...data.map((row) => textWidth(text(row))))) + 10;
  const intervals = spec.low && spec.high;
  const interval = { ...place, x1: spec.low, x2: spec.high };
  const svg = plotted({
    width,
    marginLeft: left,
    marginRight: right,
    ...options,
    x: {
      domain: [least, most || 1],
      ...valueAxis(view, spec.value, spec.x_label, width - left - right),
    },
    marks: [
      ...series.map((value, at) =>
        Plot.barX(data, {
          ...place,
          x: spec.value,
          filter: of(spec, value),
          fill: color(at),
          insetTop: 1,
          insetBottom: 1,
          className: "datum",
        }),
      ),
      intervals ? Plot.ruleY(data, { ...interval, className: "whisker-halo" }) : null,
      intervals ? Plot.ruleY(data, { ...interval, className: "whisker" }) : null,
      Plot.text(data, {
        ...place,
        // Behind the bar and its interval; a bar to the left has room at the right of zero.
        x: (row) => Math.max(0, row[intervals && known(row[spec.high]) ? spec.high : spec.value]),
        text,
        dx: 5,
        textAnchor: "start",
        className: "value",
      }),
      Plot.ruleX([0], { className: "base" }),
      labels,
    ],
  });
  return {
    svg,
    legend: seriesLegend(view, series, (at) => swatch(SERIES[at % SERIES.length])),
    summary: `Bars of ${headingText(column(spec.value))}: ${extremes(view, spec.value)}.`,
  };
}

/** Points with intervals, a row each, about a line at zero. */
function dots(view) {
  const { data, both, spec, column, width } = view;
  const series = seriesOf(view);
  const { place, left, options, names: labels } = labelledRows(view, series, 15);
  const svg = plotted({
    width,
    marginLeft: left,
    marginRight: 16,
    ...options,
    x: {
      domain: extentOf(both, [spec.value, spec.low, spec.high], spec.zero),
      nice: true,
      ...valueAxis(view, spec.value, spec.x_label, width - left),
    },
    marks: [
      spec.zero ? Plot.ruleX([0], { className: "base" }) : null,
      ...series.flatMap((value, at) => [
        Plot.ruleY(data, {
          ...place,
          filter: of(spec, value),
          x1: spec.low,
          x2: spec.high,
          stroke: color(at),
          className: "interval",
        }),
        Plot.dot(data, {
          ...place,
          filter: of(spec, value),
          x: spec.value,
          fill: color(at),
          r: 4.5,
          symbol: symbolOf(at),
          className: "datum",
        }),
      ]),
      labels,
    ],
  });
  return {
    svg,
    legend: seriesLegend(view, series, (at) => symbolSwatch(at, true)),
    summary: `Intervals of ${headingText(column(spec.value))}: ${extremes(view, spec.value)}.`,
  };
}

/** Lines with a mark at each value; intervals are bands, or whiskers where the steps have names. */
function lines(view) {
  const { data, both, spec, column, width } = view;
  const series = seriesOf(view);
  const steps = distinct(both, spec.x);
  const named = Boolean(spec.ordinal) || !NUMERIC.has(column(spec.x).format);
  const left = 56;
  const inner = width - left - 20;
  const shift = (at) => (named ? (at - (series.length - 1) / 2) * 7 : 0);
  const marks = series.flatMap((value, at) => {
    const place = { x: spec.x, dx: shift(at), filter: of(spec, value) };
    const ends = { y1: spec.low, y2: spec.high };
    const interval = named
      ? Plot.ruleX(data, { ...place, ...ends, stroke: color(at), className: "interval" })
      : Plot.areaY(data, { ...place, ...ends, fill: color(at), className: "band" });
    return [
      spec.low && spec.high ? interval : null,
      Plot.lineY(data, { ...place, y: spec.y, stroke: color(at), className: "line" }),
      Plot.dot(data, {
        ...place,
        y: spec.y,
        fill: color(at),
        r: 4,
        symbol: symbolOf(at),
        className: "datum",
      }),
    ];
  });
  const [low, high] = rangeOfLines(view);
  const svg = plotted({
    width,
    height: Math.round(Math.min(340, Math.max(230, width * 0.45))),
    marginLeft: left,
    marginRight: 20,
    marginTop: 30,
    marginBottom: 42,
    x: named
      ? namedSteps(view, steps, inner)
      : {
          ...valueAxis(view, spec.x, spec.x_label, inner),
          domain: spec.diagonal ? [0, high] : d3.extent(steps.filter(known)),
          grid: false,
          ...wholeSteps(column(spec.x), steps, inner),
        },
    y: {
      ...valueAxis(view, spec.y, spec.y_label, inner, 5),
      domain: [low, high],
      nice: spec.diagonal ? false : 5,
    },
    marks: [
      low === 0 ? Plot.ruleY([0], { className: "base" }) : null,
      spec.diagonal ? diagonal(0, high) : null,
      ...marks,
    ],
  });
  return {
    svg,
    legend: seriesLegend(view, series, (at) => symbolSwatch(at, true)),
    summary:
      `Lines of ${headingText(column(spec.y))} by ${headingText(column(spec.x))}: ` +
      `${extremes(view, spec.y)}.`,
  };
}

/** From zero, unless all values are far from it; a share's diagonal ends at 100 %. */
function rangeOfLines({ both, spec, column }) {
  const [low, high] = extentOf(both, [spec.y, spec.low, spec.high], false);
  if (low === undefined) return [0, 1];
  if (spec.diagonal) {
    const ofBoth = Math.max(high, extentOf(both, [spec.x], true)[1]);
    return [0, column(spec.y).format === "share" ? 1 : ofBoth];
  }
  const far = column(spec.y).format !== "share" && low > FAR * high && low < high;
  return [far ? low : Math.min(0, low), high || 1];
}

/** An axis of steps that are names, as many of them written as have room. */
function namedSteps({ spec, column }, steps, inner) {
  const digits = digitsFor(column(spec.x).format, steps);
  const write = (value) => cellText(value, column(spec.x).format, digits);
  const needed = d3.sum(steps, (value) => textWidth(write(value)) + 12);
  const every = Math.max(1, Math.ceil(needed / inner));
  return {
    type: "point",
    domain: steps,
    padding: 0.5,
    label: axisTitle(spec.x_label, column(spec.x)),
    labelArrow: "none",
    labelAnchor: "right",
    ticks: steps.filter((_, at) => at % every === 0),
    tickFormat: write,
    tickSize: 0,
  };
}

/** Ticks at whole numbers alone, where each has room. */
function wholeSteps(column, steps, inner) {
  if (column.format !== "int" || steps.length > ticksFor(inner, 40)) return {};
  return { ticks: [...steps].sort(d3.ascending) };
}

const diagonal = (low, high) =>
  Plot.link([[low, high]], {
    x1: (d) => d[0],
    y1: (d) => d[0],
    x2: (d) => d[1],
    y2: (d) => d[1],
    className: "diagonal",
  });

/** Counts of values in bins that touch; a panel for each series, all on the same scales. */
function histogram(view) {
  const { data, both, spec, column, width } = view;
  const log = spec.scale === "log";
  // A log axis has no zero, so the bin that starts there is drawn as wide as its neighbour.
  const edges = both.flatMap((row) => [row[spec.x0], row[spec.x1]]).filter((edge) => edge > 0);
  const first = d3.min(edges);
  const second = d3.min(edges.filter((edge) => edge > first)) ?? first * 10;
  const start = (edge) => (log && !(edge > 0) ? first / (second / first) : edge);
  const lowest = d3.min(both, (row) => start(row[spec.x0]));
  const highest = d3.max(both, (row) => row[spec.x1]);
  const left = 56;
  const series = seriesOf(view);
  const panel = { fy: spec.series ?? (() => null) };
  const alone = Math.round(Math.min(240, Math.max(150, width * 0.32)));
  const each = series.length === 1 ? alone : Math.max(90, Math.round(alone * 0.6));
  const gap = 26;
  const steps = series.length === 1 ? 5 : 3;
  const svg = plotted({
    width,
    height: 72 + series.length * each + (series.length - 1) * gap,
    marginLeft: left,
    marginRight: 16,
    marginTop: 30,
    marginBottom: 42,
    x: {
      ...valueAxis(view, spec.x0, spec.x_label, width - left),
      type: log ? "log" : "linear",
      domain: [lowest, highest],
      grid: false,
      ...(log ? { ticks: powersOfTen(lowest, highest) } : {}),
    },
    y: {
      ...valueAxis(view, spec.count, null, width, steps),
      domain: [0, d3.max(both, (row) => row[spec.count]) || 1],
      nice: steps,
    },
    fy: { domain: series, axis: null, padding: gap / (each + gap) },
    marks: [
      ...series.map((value, at) =>
        Plot.rectY(data, {
          ...panel,
          filter: of(spec, value),
          x1: (row) => start(row[spec.x0]),
          x2: spec.x1,
          y1: 0,
          y2: spec.count,
          fill: color(at),
          insetLeft: 0.5,
          insetRight: 0.5,
          className: "datum",
        }),
      ),
      Plot.ruleY([0], { className: "base" }),
    ],
  });
  const total = d3.sum(data, (row) => row[spec.count]);
  const largest = d3.greatest(data, (row) => row[spec.count]);
  const bin =
    `${valueText(largest[spec.x0], column(spec.x0))} to ` +
    valueText(largest[spec.x1], column(spec.x1));
  return {
    svg,
    legend: seriesLegend(view, series, (at) => swatch(SERIES[at % SERIES.length])),
    summary:
      `Histogram of ${grouped(total, 0)} in ${plural(data.length, "bin")}; ` +
      `most, ${grouped(largest[spec.count], 0)}, from ${bin}.`,
  };
}

const powersOfTen = (low, high) =>
  d3.range(Math.ceil(Math.log10(low)), Math.floor(Math.log10(high)) + 1).map((power) => 10 ** power);

/** A point for each row, about the line on which both values are the same. */
function scatter(view) {
  const { data, both, spec, column, width } = view;
  const size = Math.min(width, 560);
  const left = 60;
  const zero = spec.scale !== "log";
  const [low, high] = extentOf(both, [spec.x, spec.y], zero);
  const common = spec.diagonal ? { domain: [low, high], nice: true } : { nice: true };
  const type = spec.scale ?? "linear";
  const axis = (name, title) => ({ ...common, ...valueAxis(view, name, title, size), type });
  const svg = plotted({
    width: size,
    height: size,
    marginLeft: left,
    marginRight: 16,
    marginTop: 30,
    marginBottom: 42,
    x: axis(spec.x, spec.x_label),
    y: axis(spec.y, spec.y_label),
    marks: [
      spec.diagonal ? diagonal(low, high) : null,
      Plot.dot(data, { x: spec.x, y: spec.y, r: 3.5, fill: color(0), className: "datum clickable" }),
    ],
  });
  const drawn = data.filter((row) => known(row[spec.x]) && known(row[spec.y]));
  const above = drawn.filter((row) => row[spec.y] > row[spec.x]).length;
  const below = drawn.filter((row) => row[spec.y] < row[spec.x]).length;
  const sides = spec.diagonal ? `: ${grouped(above, 0)} above the diagonal, ${grouped(below, 0)} below, ${grouped(drawn.length - above - below, 0)} on it` : "";
  return { svg, legend: null, summary: `${plural(drawn.length, "point")}${sides}.`, open: true };
}
