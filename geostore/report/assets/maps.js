"use strict";
// Maps: traces as lines from the true place to the answer, and countries by a value.

const SOUTH = -57; // the map ends here, unless a place or a line lies further south
const NORTH = 89.9; // lines between the northern continents pass near the pole
const CLASSES = 5; // of colours, class-1 (least) to class-5 (most)
const FEW = 30; // traces below which a country's value says little
const MOST_TIMES = 24; // the largest zoom
const CURVES = 0.15; // px; how far a line may be from its true curve on the whole map

const topology = stored("world");
const countryNames = stored("countries");

const land = topology && topojson.feature(topology, topology.objects.land);
const shapes = topology && topojson.feature(topology, topology.objects.countries).features;
const borders =
  topology && topojson.mesh(topology, topology.objects.countries, (one, other) => one !== other);

/** A projection in which areas are equal, and the height that the map has at this width. */
function projectionFor(width, south) {
  const edge = 179.999;
  const box = {
    type: "MultiPoint",
    coordinates: [-edge, edge].flatMap((lon) => [[lon, south], [lon, 0], [lon, NORTH]]),
  };
  const projection = d3.geoEqualEarth().precision(CURVES).fitWidth(width, box);
  const [[, top], [, bottom]] = d3.geoPath(projection).bounds(box);
  return { projection, height: Math.ceil(bottom - top) };
}

/** Where a map of these rows ends: a shortest way may bend far to the south of both its ends. */
function southOf(rows) {
  const steps = d3.range(0, 1.01, 0.125);
  const least = d3.min(rows, ({ lat, lon, answer_lat, answer_lon }) => {
    if (!known(answer_lat)) return lat;
    const way = d3.geoInterpolate([lon, lat], [answer_lon, answer_lat]);
    return d3.min(steps, (step) => way(step)[1]);
  });
  return least < SOUTH ? Math.max(-89.9, least - 3) : SOUTH;
}

/** Lines from truth to answer; those that were chosen as the worst are on top. */
function traceMap(view) {
  const { data, both, width } = view;
  const { projection, height } = projectionFor(width, southOf(both));
  const kinds = ["sample", "worst"];
  const named = (kind) => (row) => (row.chosen === "worst" ? "worst" : "sample") === kind;
  const marks = kinds.flatMap((kind) => [
    Plot.link(data, {
      filter: named(kind), x1: "lon", y1: "lat", x2: "answer_lon", y2: "answer_lat",
      className: `datum error ${kind}`,
    }),
    Plot.dot(data, {
      filter: (row) => named(kind)(row) && known(row.answer_lat), x: "answer_lon", y: "answer_lat",
      r: 2, className: `datum answer ${kind}`,
    }),
    Plot.dot(data, { filter: named(kind), x: "lon", y: "lat", r: 2, className: `datum truth ${kind}` }),
  ]);
  const svg = plotted({
    width,
    height,
    margin: 0,
    projection: () => projection,
    marks: [Plot.geo(land, { className: "land" }), Plot.geo(borders, { className: "borders" }), ...marks],
  });
  const on = drawing("g", { class: "lit" });
  svg.append(on);
  const light = (index) => {
    const same = (node) => node.__data__ === index;
    const nodes = index === null ? [] : [...svg.querySelectorAll(".datum > *")].filter(same);
    on.replaceChildren(
      ...nodes.map((node) => {
        const copy = node.cloneNode();
        const group = node.parentNode;
        copy.setAttribute("class", group.getAttribute("class").replace("datum", ""));
        if (group.hasAttribute("transform")) {
          copy.setAttribute("transform", group.getAttribute("transform"));
        }
        return copy;
      }),
    );
  };
  const worst = data.filter(named("worst")).length;
  // The more lines, the more of what is below each shows through.
  const through = (most, count) => Math.min(most, Math.max(0.2, (14 * most) / Math.sqrt(count + 1)));
  svg.style.setProperty("--worst", through(0.75, worst));
  svg.style.setProperty("--sample", through(0.45, data.length - worst));
  const unanswered = data.filter((row) => !known(row.answer_lat)).length;
  const median = d3.median(data.filter((row) => known(row.km)), (row) => row.km);
  const distance = { label: "", format: "km", unit: "" };
  const entries = [
    { name: "true place", symbol: dotSwatch("truth sample") },
    { name: "answer", symbol: dotSwatch("answer sample") },
    worst < data.length ? { name: `sample (${grouped(data.length - worst, 0)})`, symbol: lineSwatch("sample") } : null,
    worst ? { name: `worst (${grouped(worst, 0)})`, symbol: lineSwatch("worst") } : null,
  ];
  return {
    svg,
    light,
    legend: legend(entries.filter(Boolean)),
    summary:
      `World map of ${plural(data.length, "trace")}, ${grouped(worst, 0)} of them the worst` +
      (known(median) ? `; the median distance is ${valueText(median, distance)}` : "") +
      (unanswered ? `; ${grouped(unanswered, 0)} without an answer` : "") + ".",
    open: true,
    zoom: true,
  };
}

const dotSwatch = (name) =>
  drawing(
    "svg",
    { class: "swatch map", viewBox: "0 0 14 14", "aria-hidden": "true" },
    drawing("g", { class: name }, drawing("circle", { cx: 7, cy: 7, r: 3.5 })),
  );

const lineSwatch = (name) =>
  drawing(
    "svg",
    { class: "swatch map", viewBox: "0 0 22 14", "aria-hidden": "true" },
    drawing("g", { class: `error ${name}` }, drawing("line", { x1: 1, x2: 21, y1: 7, y2: 7 })),
  );

/** A country's name and code, where a cell or tooltip has the code. */
function countryText(code) {
  const name = countryNames[code]?.[0];
  return name && name !== code ? `${name} (${code})` : String(code ?? "no country");
}

/** Where classes of a value begin: fifths of a share, else round numbers that split the countries. */
function classEdges(values, format) {
  if (format === "share") return [0.2, 0.4, 0.6, 0.8];
  const sorted = [...values].sort(d3.ascending);
  const edges = d3.range(1, CLASSES).map((step) => {
    const edge = d3.quantileSorted(sorted, step / CLASSES);
    return Number(edge.toPrecision(2));
  });
  return [...new Set(edges)];
}

/** Countries coloured by a value; few traces are hatched, and tiny countries are dots. */
function countryMap(view) {
  const { data, both, spec, column, width } = view;
  const valued = both.filter((row) => known(row[spec.value]));
  const edges = classEdges(valued.map((row) => row[spec.value]), column(spec.value).format);
  const classOf = (value) => d3.bisectRight(edges, value) + 1 + (CLASSES - 1 - edges.length);
  const dotted = data.filter((row) => countryNames[row[spec.code]]?.length === 3);
  const south = data.some((row) => row[spec.code] === "AQ") ? -89.9 : SOUTH;
  const { projection, height } = projectionFor(width, south);
  const rowOf = new Map(data.map((row) => [row[spec.code], row]));
  const coloured = shapes
    .filter((shape) => known(rowOf.get(shape.id)?.[spec.value]))
    .map((shape) => ({ type: "Feature", geometry: shape.geometry, row: rowOf.get(shape.id) }));
  const hatching = hatchingPattern();
  const few = (row) => known(spec.n && row[spec.n]) && row[spec.n] < FEW;
  const marks = d3.range(1, CLASSES + 1).flatMap((step) => [
    Plot.geo(coloured, {
      filter: (shape) => classOf(shape.row[spec.value]) === step,
      className: `datum country class-${step}`,
    }),
    Plot.dot(data, {
      filter: (row) => dotted.includes(row) && classOf(row[spec.value]) === step && known(row[spec.value]),
      x: (row) => countryNames[row[spec.code]]?.[2],
      y: (row) => countryNames[row[spec.code]]?.[1],
      r: 4,
      className: `datum country class-${step}`,
    }),
  ]);
  const svg = plotted({
    width,
    height,
    margin: 0,
    projection: () => projection,
    marks: [
      Plot.geo(land, { className: "land" }),
      ...marks,
      Plot.geo(coloured, { filter: (shape) => few(shape.row), fill: `url(#${hatching.id})`, className: "few" }),
      Plot.geo(borders, { className: "borders" }),
    ],
  });
  svg.prepend(drawing("defs", {}, hatching));
  // A shape's mark has the index of its row, as all other marks have.
  for (const node of svg.querySelectorAll(".country > path")) {
    node.__data__ = coloured[node.__data__].row.index;
  }
  const bounds = [null, ...edges, null];
  const write = (value) => {
    const digits = column(spec.value).format === "share" ? 0 : digitsFor("number", edges);
    return cellText(value, column(spec.value).format, digits);
  };
  const classes = d3.pairs(bounds).map(([from, to], at) => ({
    name:
      from === null && to === null ? "all" : from === null ? `under ${write(to)}` : to === null ? `${write(from)} and above` : `${write(from)} to ${write(to)}`,
    symbol: swatch(`class-${at + 1 + (CLASSES - 1 - edges.length)}`),
  }));
  const counts = spec.n ? data.map((row) => row[spec.n]).filter(known) : [];
  const hatched = data.filter(few).length;
  const onMap = new Set(shapes.map((shape) => shape.id));
  const elsewhere = data.filter((row) => !onMap.has(row[spec.code]) && !dotted.includes(row));
  const off = elsewhere.length
    ? ` Not on the map: ${elsewhere.map((row) => countryText(row[spec.code])).join(", ")}.`
    : "";
  const entries = [
    ...classes,
    hatched ? { name: `fewer than ${FEW} ${noun(column(spec.n))}: ${grouped(hatched, 0)}`, symbol: hatchSwatch() } : null,
    { name: spec.n ? `no ${noun(column(spec.n))}` : "no value", symbol: swatch("land") },
  ];
  const range = d3.extent(counts);
  return {
    svg,
    legend: legend(entries.filter(Boolean)),
    legendNote: counts.length
      ? `${headingText(column(spec.value))}; ${plural(d3.sum(counts), "trace").replace(/traces?$/, noun(column(spec.n)))} in ${data.length === 1 ? "1 country" : `${grouped(data.length, 0)} countries`}, ${grouped(range[0], 0)} to ${grouped(range[1], 0)} in each.${off}`
      : `${headingText(column(spec.value))}.${off}`,
    summary: `World map of ${headingText(column(spec.value))} in ${grouped(data.length, 0)} countries: ${extremes(view, spec.value, (row) => countryText(row[spec.code]))}.`,
    zoom: true,
  };
}

const noun = (column) => column.label.toLowerCase();

let hatchings = 0;

/** A pattern of lines, under a name of its own because a page may hold several maps. */
function hatchingPattern() {
  hatchings += 1;
  const shape = { width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  const line = drawing("line", { class: "hatch-lines", x1: 0, x2: 0, y1: 0, y2: 5 });
  return drawing("pattern", { id: `hatching-${hatchings}`, ...shape }, line);
}

function hatchSwatch() {
  const node = swatch("land");
  node.append(drawing("path", { class: "hatch-lines", d: "M1 6L6 1M1 13L13 1M8 13L13 8" }));
  return node;
}

/** Pan and zoom by buttons, wheel, drag, two fingers and keys. Marks keep their size on the screen. */
function zoomable(holder, svg, onMove) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  let times = 1;
  let left = 0;
  let top = 0;
  const apply = () => {
    times = Math.min(MOST_TIMES, Math.max(1, times));
    left = Math.min(width - width / times, Math.max(0, left));
    top = Math.min(height - height / times, Math.max(0, top));
    svg.setAttribute("viewBox", `${left} ${top} ${width / times} ${height / times}`);
    svg.style.setProperty("--times", times);
    svg.classList.toggle("zoomed", times > 1);
    onMove();
  };
  /** Zooms so that the point at these shares of the width and height stays where it is. */
  const zoom = (by, across = 0.5, down = 0.5) => {
    const to = Math.min(MOST_TIMES, Math.max(1, times * by));
    left += across * width * (1 / times - 1 / to);
    top += down * height * (1 / times - 1 / to);
    times = to;
    apply();
  };
  const pan = (across, down) => {
    left += (across * width) / times;
    top += (down * height) / times;
    apply();
  };
  const whole = () => {
    times = 1;
    apply();
  };
  /** Moves the map, if it has to, so that a mark is in its middle. */
  const reveal = (node) => {
    const { x, y, width: wide, height: high } = node.getBBox();
    const [across, down] = [x + wide / 2 - left, y + high / 2 - top];
    if (across > 0 && down > 0 && across < width / times && down < height / times) return;
    pan((across * times) / width - 0.5, (down * times) / height - 0.5);
  };
  const share = (event) => {
    const box = svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  // A wheel over a map that is not in use scrolls the page, as everywhere else.
  svg.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== holder) return;
      event.preventDefault();
      zoom(2 ** (-event.deltaY / 300), ...share(event));
    },
    { passive: false },
  );

  const fingers = new Map();
  svg.addEventListener("pointerdown", (event) => {
    svg.classList.remove("dragged");
    fingers.set(event.pointerId, share(event));
  });
  svg.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = share(event);
    if (fingers.size === 1) {
      if (Math.hypot(now[0] - before[0], now[1] - before[1]) < 0.004) return;
      svg.setPointerCapture(event.pointerId);
      svg.classList.add("dragged"); // so that the click at its end opens nothing
      pan(before[0] - now[0], before[1] - now[1]);
    } else {
      const [other] = [...fingers].find(([id]) => id !== event.pointerId).slice(1);
      const apart = (place) => Math.hypot((place[0] - other[0]) * width, (place[1] - other[1]) * height);
      zoom(apart(now) / Math.max(1, apart(before)), ...other);
    }
    fingers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    svg.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }

  const keys = {
    ArrowLeft: () => pan(-0.15, 0),
    ArrowRight: () => pan(0.15, 0),
    ArrowUp: () => pan(0, -0.15),
    ArrowDown: () => pan(0, 0.15),
    "+": () => zoom(1.5),
    "=": () => zoom(1.5),
    "-": () => zoom(1 / 1.5),
    0: whole,
  };
  holder.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== holder) return;
    if (!(event.key in keys) || (times === 1 && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    keys[event.key]();
  });
  const buttons = element(
    "div",
    { class: "zoom", role: "group", "aria-label": "Zoom of the map" },
    button("+", { "aria-label": "Zoom in" }, () => zoom(1.5)),
    button("−", { "aria-label": "Zoom out" }, () => zoom(1 / 1.5)),
    button("Whole map", {}, whole),
  );
  return { buttons, reveal };
}
