/*
 * drawing.js: the topology as SVG: sub-topologies one under the other, a way through a topic from
 * one to another round their left side, and the rates on the edges.
 *
 * An edge shows the rate of the node that it leads to, since that is what is counted. Where several
 * edges lead to one node, the first has the sum.
 */
const marks = []; /* what follows the rates: {node, edge, arrow, text} */
const LANE = 7; /* between two ways that run side by side */

const kinds = {
  kv: "key-value",
  timestamped_kv: "key-value",
  window: "window",
  timestamped_window: "window",
};

/* ---- lines ---- */

function arrow_at({ x, y }, flat) {
  return s("path", { class: "arrow", d: flat ? `M${x} ${y}l-7 -3.5v7z` : `M${x} ${y}l-3.5 -7h7z` });
}

/* A smooth line through points that in turn leave a layer and enter the next. */
function curve(points, flat) {
  let d = `M${points[0].x} ${points[0].y}`;
  for (let i = 1; i < points.length; i++) {
    const a = points[i - 1],
      b = points[i];
    const x = (a.x + b.x) / 2,
      y = (a.y + b.y) / 2;
    if (i % 2 === 0) d += `L${b.x} ${b.y}`;
    else if (flat) d += `C${x} ${a.y} ${x} ${b.y} ${b.x} ${b.y}`;
    else d += `C${a.x} ${y} ${b.x} ${y} ${b.x} ${b.y}`;
  }
  return d;
}

/* Straight lines with round corners. */
function bent(points) {
  const far = (a, b) => Math.hypot(b.x - a.x, b.y - a.y);
  const towards = (b, p, r) => {
    const part = r / (far(b, p) || 1);
    return `${b.x + (p.x - b.x) * part} ${b.y + (p.y - b.y) * part}`;
  };
  const last = points[points.length - 1];
  let d = `M${points[0].x} ${points[0].y}`;
  for (let i = 1; i < points.length - 1; i++) {
    const [a, b, c] = points.slice(i - 1, i + 2);
    const r = Math.min(7, far(a, b) / 2, far(b, c) / 2);
    d += `L${towards(b, a, r)}Q${b.x} ${b.y} ${towards(b, c, r)}`;
  }
  return `${d}L${last.x} ${last.y}`;
}

/* ---- boxes ---- */

function draw_node(n, { x, y }) {
  const topic = n.kind !== "processor",
    name = nice(n.name);
  const below = !topic ? "" : name === n.name ? n.kind : name;
  const topics = topic ? `\n${n.pattern || n.topics.join(", ")}` : "";
  const types = n.key || n.value ? `\n${n.key || "?"} → ${n.value || "?"}` : "";
  const middle = { x: x + n.width / 2, "text-anchor": "middle" };
  return s(
    "g",
    { class: `node ${topic ? "topic" : ""} ${n.internal ? "internal" : ""}`, "data-node": n.name },
    s("title", {}, `${n.kind} ${n.name}${topics}${types}`),
    s("rect", { class: "box", x, y, width: n.width, height: NODE, rx: topic ? NODE / 2 : 5 }),
    s(
      "text",
      { class: "name", ...middle, y: y + (below ? 16 : 22) },
      cut(n.label, n.width - 18, topic),
    ),
    below && s("text", { class: "sub", ...middle, y: y + 28 }, below),
  );
}

function cylinder(x, y) {
  const w = STORE_WIDTH,
    r = 4;
  const arc = (way, width) => `a${w / 2} ${r} 0 0 ${way} ${width} 0`;
  return s("path", {
    class: "box",
    d: `M${x} ${y + r}${arc(1, w)}v${STORE - 2 * r}${arc(1, -w)}zM${x} ${y + r}${arc(0, w)}`,
  });
}

function draw_store(store, x, y) {
  const about = store.changelog ? `changelog ${store.changelog}` : "no changelog";
  const g = s(
    "g",
    {
      class: "store",
      role: "button",
      tabindex: 0,
      "data-store": store.name,
      "aria-label": `store ${store.name}: look into it`,
    },
    s("title", {}, `${kinds[store.kind] || store.kind} store ${store.name}\n${about}`),
    cylinder(x, y),
    s(
      "text",
      { x: x + STORE_WIDTH / 2, y: y + 19, "text-anchor": "middle" },
      cut(nice(store.name), STORE_WIDTH - 12),
    ),
  );
  const open = () => {
    choose_store(store.name);
    $("ask").scrollIntoView({ block: "nearest" });
    $("ask").elements.key.focus();
  };
  g.addEventListener("click", open);
  g.addEventListener("keydown", (e) => {
    if (e.key !== "Enter" && e.key !== " ") return;
    e.preventDefault();
    open();
  });
  return g;
}

/* ---- the whole ---- */

/* Pairs of a sink and a source of the same topic. */
function ways_of(groups) {
  const sinks = new Map(),
    ways = [];
  const each = (kind, fn) => {
    for (const group of groups)
      for (const node of group.nodes.values())
        if (node.kind === kind) for (const topic of node.topics) fn(topic, { group, node });
  };
  each("sink", (topic, sink) => sinks.set(topic, [...(sinks.get(topic) || []), sink]));
  each("source", (topic, source) => {
    for (const sink of sinks.get(topic) || []) ways.push({ sink, source });
  });
  return ways;
}

/* Gives each group its frame, and place(): where the flow enters a node, or leaves it. */
function stack(groups, ways, flat) {
  const left = ways.length ? 12 + ways.length * LANE : 0;
  let top = 0,
    width = 0;
  for (const g of groups) {
    const outs = flat ? ways.filter((w) => w.sink.group === g).length : 0;
    const x = left,
      y = top;
    g.frame = {
      x,
      y,
      w: Math.max(130, PAD + (flat ? g.along : g.across + PAD)),
      h: TITLE + PAD + (flat ? g.across + PAD - 4 : g.along),
    };
    g.place = (n, leaving) => {
      const along = n.along + (leaving ? n.deep : 0);
      return flat
        ? { x: x + along, y: y + TITLE + PAD - 4 + n.at }
        : { x: x + PAD + n.at, y: y + TITLE - 8 + along };
    };
    g.corner = (n) => {
      const at = g.place(n);
      return flat ? { x: at.x, y: at.y - NODE / 2 } : { x: at.x - n.width / 2, y: at.y };
    };
    top += g.frame.h + (flat ? 14 + outs * LANE : 18);
    width = Math.max(width, x + g.frame.w + (outs ? 12 + outs * LANE : 2));
  }
  return { width, height: top - 10 };
}

function draw_frame(g) {
  const { x, y, w, h: height } = g.frame;
  return s(
    "g",
    { class: "group" },
    s("rect", { x: x + 0.5, y: y + 0.5, width: w, height, rx: 7 }),
    s(
      "text",
      { x: x + 10, y: y + 15 },
      g.global ? "global, in every worker" : `sub-topology ${g.id}`,
    ),
  );
}

/* The stores of a node under it; where each lies, for the others that share it. */
function draw_stores(g, n, layers) {
  const { x, y } = g.corner(n),
    middle = x + n.width / 2;
  n.attached.forEach((name, i) => {
    const store = g.stores.find((one) => one.name === name);
    const top = y + NODE + 7 + i * (STORE + 7);
    if (!store) return;
    layers.edges.append(s("path", { class: "tie", d: `M${middle} ${top - 7}v11` }));
    layers.nodes.append(draw_store(store, middle - STORE_WIDTH / 2, top));
    store.point = { x: middle, y: top };
  });
}
function draw_shared(g, n, layers) {
  for (const name of n.stores || []) {
    const { point } = g.stores.find((one) => one.name === name) || {};
    if (!point || n.attached.includes(name)) continue;
    const { x, y } = g.corner(n);
    layers.edges.append(
      s("path", { class: "tie", d: `M${x + n.width / 2} ${y + NODE}L${point.x} ${point.y}` }),
    );
  }
}

function draw_edge(node, d, end, label, flat, layers, more = "") {
  const edge = s("path", { class: `edge ${more}`, d }),
    arrow = arrow_at(end, flat);
  const text = label && s("text", { class: "rate", ...label });
  layers.edges.append(edge, arrow);
  if (text) layers.labels.append(text);
  marks.push({ node, edge, arrow, text });
}

/* Into a source, from outside. */
function draw_entry(g, n, flat, layers) {
  const end = g.place(n),
    start = flat ? { x: g.frame.x - 2, y: end.y } : { x: end.x, y: g.frame.y + 12 };
  draw_edge(n.name, curve([start, end], flat), end, entry_label(g, end, flat), flat, layers);
}
function entry_label(g, end, flat) {
  return flat ? { x: (g.frame.x + end.x) / 2 - 3, y: end.y - 5 } : { x: end.x + 30, y: end.y - 6 };
}

/* Where the rate of an edge stands: beside its end, out of the way of the lines that come there. */
function inside_label(e, last, end, flat) {
  const alone = e.to.before.length === 1 && e.chain[0].after.length === 1;
  if (!flat) return { x: end.x + (last.x > end.x + 4 ? -26 : 26), y: end.y - 7 };
  if (alone) return { x: (end.x + last.x) / 2 - 2, y: end.y - 5 };
  if (e.to.before.length > 1) return { x: end.x - 22, y: end.y - NODE / 2 - 3 };
  return { x: end.x - 24, y: end.y + (last.y < end.y - 4 ? 13 : -5) };
}
function draw_inside(g, e, flat, layers) {
  const points = [];
  e.chain.forEach((n, i) => {
    if (i > 0) points.push(g.place(n));
    if (i < e.chain.length - 1) points.push(g.place(n, true));
  });
  const [last, end] = points.slice(-2),
    first = e.to.before[0] === e.chain.at(-2);
  const label = first ? inside_label(e, last, end, flat) : null;
  draw_edge(e.to.name, curve(points, flat), end, label, flat, layers);
}

/* Out of the sink, under its group, up or down a lane of its own at the left, and in. */
function draw_way(w, i, ways, flat, layers) {
  const { frame } = w.sink.group,
    g = w.source.group;
  const a = w.sink.group.place(w.sink.node, true),
    b = g.place(w.source.node),
    x = 6 + i * LANE;
  const nth = ways.filter((o) => o.sink.group === w.sink.group).indexOf(w) * LANE;
  const out = Math.min(a.x + 14 + nth, frame.x + frame.w + 8 + nth),
    under = frame.y + frame.h + 7 + nth;
  const points = flat
    ? [a, { x: out, y: a.y }, { x: out, y: under }, { x, y: under }, { x, y: b.y }, b]
    : [
        a,
        { x: a.x, y: a.y + 9 },
        { x, y: a.y + 9 },
        { x, y: b.y - 16 },
        { x: b.x, y: b.y - 16 },
        b,
      ];
  const first = ways.findIndex((o) => o.source.node === w.source.node) === i;
  draw_edge(
    w.source.node.name,
    bent(points),
    b,
    first ? entry_label(g, b, flat) : null,
    flat,
    layers,
    "between",
  );
}

function draw(topology) {
  const room = $("drawing").clientWidth - 28,
    flat = room > 640;
  const groups = topology.sub_topologies.map((g) => lay_out(g, flat)),
    ways = ways_of(groups);
  const { width, height } = stack(groups, ways, flat);
  const layers = { frames: s("g"), edges: s("g"), nodes: s("g"), labels: s("g") };
  marks.length = 0;
  for (const g of groups) {
    layers.frames.append(draw_frame(g));
    for (const n of g.nodes.values()) {
      layers.nodes.append(draw_node(n, g.corner(n)));
      draw_stores(g, n, layers);
      if (n.kind === "source" && !ways.some((w) => w.source.node === n))
        draw_entry(g, n, flat, layers);
    }
    for (const n of g.nodes.values()) draw_shared(g, n, layers);
    for (const e of g.edges) draw_inside(g, e, flat, layers);
  }
  ways.forEach((w, i) => draw_way(w, i, ways, flat, layers));
  const scale = Math.max(flat ? 0.72 : 0.62, Math.min(1, room / width)); /* then it scrolls */
  $("drawing").replaceChildren(
    s(
      "svg",
      {
        role: "group",
        "data-flat": flat,
        "aria-label": "The topology, drawn; the same stands below as text",
        viewBox: `0 0 ${width} ${height}`,
        width: width * scale,
        height: height * scale,
      },
      ...Object.values(layers),
    ),
  );
  show_rates();
}

let rates = new Map(); /* by node, as last known */
function show_rates(now = rates) {
  rates = now;
  for (const m of marks) {
    const rate = rates.get(m.node);
    for (const e of [m.edge, m.arrow, m.text]) if (e) e.classList.toggle("live", rate > 0);
    if (m.text) show(m.text, Number.isFinite(rate) ? `${compact(rate)}/s` : "");
  }
}
