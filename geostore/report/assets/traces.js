"use strict";
// The best and worst traces: what the teacher saw, where it looked, and what it answered.

const WORDS = 320; // characters of an answer that are shown before its rest is opened
const HEADINGS = { best: "Best", worst: "Worst" };

const cardId = (figure, row) => `${figure.id}-${row.which}-${row.trace}`.replace(/[^\w-]+/g, "-");

/** All cards of a figure, the best before the worst. */
function traceCards(figure, rows, name) {
  return Object.entries(HEADINGS).flatMap(([which, heading]) => {
    const cards = rows.filter((row) => row.which === which);
    if (!cards.length) return [];
    return [
      element("h3", {}, name ? `${heading} of ${name}` : heading),
      element("ol", { class: "cards" }, cards.map((row) => traceCard(figure, row))),
    ];
  });
}

function traceCard(figure, row) {
  const km = { label: "", format: "km", unit: "" };
  const score = { label: "", format: "number", unit: "" };
  const facts = [
    known(row.km) ? ["distance", valueText(row.km, km)] : ["distance", "no answer"],
    ["score", valueText(row.score, score, 3)],
    ["country", row.country ?? NOTHING],
  ];
  const images = row.images ?? [];
  return element(
    "li",
    { class: "card", id: cardId(figure, row), tabindex: "-1" },
    element("h4", {}, String(row.trace)),
    element(
      "dl",
      { class: "facts" },
      facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
    ),
    row.unproven ? element("p", { class: "unproven" }, row.unproven) : null,
    images.length ? element("div", { class: "images" }, images.map(photo)) : null,
    row.words ? words(row.words) : null,
  );
}

/** A thumbnail, and over it the boxes that the teacher looked into. */
function photo(image) {
  const { width, height, boxes } = image;
  const unit = Math.max(width, height) / 100; // lines and letters in hundredths of the longer side
  const shapes = (boxes ?? []).flatMap(({ label, points }) => {
    const shape = { points: points.map((point) => point.join(",")).join(" ") };
    const [left, top] = [0, 1].map((axis) => d3.min(points, (point) => point[axis]));
    const at = { x: left + unit, y: Math.max(6.5 * unit, top - unit), "font-size": 7 * unit };
    return [
      drawing("polygon", { ...shape, class: "halo", "stroke-width": 1.8 * unit }),
      drawing("polygon", { ...shape, class: "box", "stroke-width": 0.9 * unit }),
      label ? drawing("text", { ...at, "stroke-width": unit }, String(label)) : null,
    ];
  });
  const node = element(
    "figure",
    {},
    element(
      "div",
      { class: "frame" },
      element("img", { src: image.src, alt: image.alt, width, height }),
      shapes.length
        ? drawing("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, shapes)
        : null,
    ),
    element("figcaption", {}, image.alt),
  );
  node.style.flexGrow = width / height; // so that images in a row are alike in height
  return node;
}

function words(text) {
  if (text.length <= WORDS) return element("p", { class: "words" }, text);
  return element(
    "details",
    { class: "words" },
    element("summary", {}, text.slice(0, WORDS).trimEnd() + " …"),
    element("p", {}, text),
  );
}
