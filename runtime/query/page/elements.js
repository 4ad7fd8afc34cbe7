/*
 * elements.js: HTML and SVG elements, and numbers as people read them. Whatever is shown becomes a
 * text node or an attribute, never markup.
 */
const $ = (id) => document.getElementById(id);

function fill(e, attributes, children) {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) e.setAttribute(name, value);
  for (const child of children.flat())
    if (child || child === 0) e.append(child.nodeType ? child : String(child));
  return e;
}
const h = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);
const s = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

function show(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

/* ---- numbers and times ---- */

/* Three digits at most: 7.5, 980, 1.29k, 12M. */
function compact(n) {
  if (!Number.isFinite(n)) return "–";
  for (const [unit, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ])
    if (n >= unit * 0.9995) return Number((n / unit).toPrecision(3)) + letter;
  return String(n < 10 ? Math.round(n * 10) / 10 : Math.round(n));
}
const full = (n) => n.toLocaleString("en").replaceAll(",", "\u202f");
const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

/* Of this place, to the millisecond. */
function moment(ms) {
  const d = new Date(ms);
  if (isNaN(d)) return String(ms);
  const two = (n) => String(n).padStart(2, "0");
  const day = [d.getFullYear(), two(d.getMonth() + 1), two(d.getDate())].join("-");
  const time = [d.getHours(), d.getMinutes(), d.getSeconds()].map(two).join(":");
  return `${day} ${time}.${String(d.getMilliseconds()).padStart(3, "0")}`;
}
function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
