"use strict";
// How values are written: alike in tiles, tables, axes and tooltips.

const NOTHING = "–"; // what stands where a value is not known
const THIN = "\u202f"; // a narrow space that does not break, before a unit
const UNITS = { km: "km", ms: "ms", degrees: "°", tokens: "tokens", points: "points" };
const NUMERIC = new Set(["int", "share", "number", "km", "tokens", "money", "points", "degrees", "ms"]);

const formatters = new Map();

/** Digits grouped by commas, and so many of them after the point. */
function grouped(value, digits) {
  if (!formatters.has(digits)) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formatters.set(digits, new Intl.NumberFormat("en-US", options));
  }
  return formatters.get(digits).format(value).replace("-", "−");
}

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

/** Digits after the point with which all these values can be told apart, and stand below each other. */
function digitsFor(format, values) {
  const numbers = values.filter((value) => typeof value === "number");
  const largest = Math.max(0, ...numbers.map(Math.abs));
  switch (format) {
    case "share":
      // Two digits of a share that is far below one per cent.
      return largest >= 0.005 || largest === 0 ? 1 : Math.min(6, Math.ceil(-Math.log10(largest)) - 1);
    case "degrees":
      return 4;
    case "km":
      if (numbers.every(Number.isInteger) || (numbers.length === 1 && largest >= 1000)) return 0;
      return largest < 10 ? 2 : 1;
    case "money":
      return largest >= 1 ? 2 : largest >= 0.01 ? 4 : 6;
    case "number":
      if (numbers.every(Number.isInteger)) return 0;
      return largest >= 1000 ? 0 : largest >= 100 ? 1 : largest >= 1 ? 2 : 3;
    default:
      return 0;
  }
}

/** A value as a cell of its column shows it, where the heading has the unit. */
function cellText(value, format, digits) {
  if (!known(value)) return NOTHING;
  if (format === "share") return grouped(100 * value, digits) + THIN + "%";
  if (NUMERIC.has(format) && typeof value === "number") return grouped(value, digits);
  return String(value);
}

const unitOf = ({ unit, format }) => unit || UNITS[format] || "";

/** A value by itself, with its unit. */
function valueText(value, column, digits = digitsFor(column.format, [value])) {
  const text = cellText(value, column.format, digits);
  const unit = unitOf(column);
  if (!known(value) || !unit || column.format === "share") return text;
  return unit === "°" ? text + unit : text + THIN + unit;
}

/** A column's heading: its label, and the unit of its values. */
function headingText(column) {
  const unit = unitOf(column);
  const words = column.label.toLowerCase().split(/[^\p{L}\p{N}%°]+/u);
  if (!unit || column.format === "share" || words.includes(unit.toLowerCase())) return column.label;
  return `${column.label} (${unit})`;
}

/** The lower and upper end of an interval. */
function intervalText(low, high, column) {
  if (!known(low) || !known(high)) return "";
  const digits = digitsFor(column.format, [low, high]);
  if (column.format === "share") {
    return `${grouped(100 * low, digits)} to ${grouped(100 * high, digits)}${THIN}%`;
  }
  return `${cellText(low, column.format, digits)} to ${valueText(high, column, digits)}`;
}

/** How an axis writes its ticks: short, because its title has the unit. */
function tickText(column) {
  if (column.format === "share") return (value) => `${Number((100 * value).toPrecision(6))}${THIN}%`.replace("-", "−");
  if (!NUMERIC.has(column.format)) return (value) => String(value);
  return (value) => d3.format(",~r")(Number(value.toPrecision(6))).replace("-", "−");
}

const plural = (count, noun) => `${grouped(count, 0)} ${count === 1 ? noun : noun + "s"}`;
