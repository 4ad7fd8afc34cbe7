/*
 * layout.js: the nodes of a sub-topology in layers, and where each lies.
 *
 * "along" is the direction of flow, "across" the other one: the same code lays out from left to
 * right (flat), or from top to bottom where the screen is narrow. An edge over several layers gets
 * bends, which take a place of their own in each layer between. Order and place within a layer
 * come from the means of the neighbours (Sugiyama's method).
 */
const NODE = 36,
  STORE = 27,
  STORE_WIDTH = 118,
  PAD = 14,
  TITLE = 16; /* heights, if not said */

const pen = document.createElement("canvas").getContext("2d");
function width_of(text, bold) {
  pen.font = `${bold ? "600 " : ""}11.5px system-ui, "DejaVu Sans", sans-serif`;
  return pen.measureText(text).width;
}
function cut(text, width, bold) {
  if (width_of(text, bold) <= width) return text;
  let size = text.length;
  while (size > 1 && width_of(text.slice(0, size) + "…", bold) > width) size--;
  return text.slice(0, size) + "…";
}

/* Names that leat made up say little: "KSTREAM-FILTER-0000000003" is shown as "filter 3". */
function nice(name) {
  const m = /^K(?:STREAM|TABLE)-([A-Z-]+?)(?:-STATE-STORE)?-0*(\d+)(-[a-z-]+)?$/.exec(name);
  return m ? `${m[1].toLowerCase()} ${m[2]}${m[3] || ""}` : name;
}
function label_of(n) {
  if (n.kind === "processor") return nice(n.name);
  return n.pattern || n.topics.map(nice).join(", ") || n.chooser || n.name;
}

/* ---- layers ---- */

/* One more than the deepest parent. */
function set_layer(n, nodes) {
  if (n.layer !== undefined) return n.layer;
  n.layer = 0;
  for (const name of n.parents)
    if (nodes.has(name)) n.layer = Math.max(n.layer, set_layer(nodes.get(name), nodes) + 1);
  return n.layer;
}

/* Its stores stand under it: flat, that is across the flow; else it leaves from under them. */
function set_size(n, owner, flat) {
  n.label = label_of(n);
  n.width = Math.min(168, Math.max(92, width_of(n.label, n.kind !== "processor") + 24));
  n.attached = (n.stores || []).filter((name) => !owner.has(name));
  for (const name of n.attached) owner.set(name, n);
  const stores = n.attached.length * (STORE + 7);
  const width = Math.max(n.width, stores && STORE_WIDTH);
  n.deep = flat ? n.width : NODE + stores;
  n.low = (flat ? NODE : width) / 2;
  n.high = n.low + (flat ? stores : 0);
}

function make_layers(nodes) {
  const layers = [],
    edges = [];
  const put = (n) => (layers[n.layer] ||= []).push(n);
  nodes.forEach(put);
  for (const n of nodes.values())
    for (const to of n.children.map((name) => nodes.get(name)).filter(Boolean)) {
      const chain = [n];
      for (let layer = n.layer + 1; layer < to.layer; layer++) {
        chain.push({ bend: true, layer, before: [], after: [], low: 7, high: 7 });
        put(chain[chain.length - 1]);
      }
      chain.push(to);
      for (let i = 1; i < chain.length; i++) {
        chain[i - 1].after.push(chain[i]);
        chain[i].before.push(chain[i - 1]);
      }
      edges.push({ chain, to });
    }
  return { layers, edges };
}

/* ---- order and place within the layers ---- */

const mean = (list, what) => list.reduce((sum, n) => sum + n[what], 0) / list.length;

function set_order(layers) {
  const count = (layer) =>
    layer.forEach((n, i) => {
      n.order = i;
    });
  layers.forEach(count);
  for (let sweep = 0; sweep < 6; sweep++) {
    const side = sweep % 2 ? "after" : "before";
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      for (const n of layer) n.wish = n[side].length ? mean(n[side], "order") : n.order;
      layer.sort((a, b) => a.wish - b.wish);
      count(layer);
    }
  }
}

/* As near to the wishes as order and room allow, with the same mean. */
function settle(layer, gap) {
  let edge = -Infinity,
    off = 0;
  for (const n of layer) {
    n.at = Math.max(n.wish, edge + n.low);
    edge = n.at + n.high + gap;
    off += n.wish - n.at;
  }
  for (const n of layer) n.at += off / layer.length;
}

function set_place(layers, gap) {
  const follow = (side) => (layer) => {
    for (const n of layer) n.wish = n[side].length ? mean(n[side], "at") : n.at;
    settle(layer, gap);
  };
  for (const layer of layers) {
    for (const n of layer) n.wish = 0;
    settle(layer, gap);
  }
  for (let round = 0; round < 3; round++) {
    layers.slice(1).forEach(follow("before"));
    layers.slice(0, -1).reverse().forEach(follow("after"));
  }
  layers.slice(1).forEach(follow("before"));
}

/* ---- a sub-topology ---- */

/* What only stores hold together is laid out one under the other. */
function parts_of(nodes) {
  const part = new Map(nodes.map((n) => [n.name, n.name]));
  const root = (name) => {
    while (part.get(name) !== name) name = part.get(name);
    return name;
  };
  for (const n of nodes)
    for (const child of n.children) if (part.has(child)) part.set(root(child), root(n.name));
  return Object.values(Object.groupBy(nodes, (n) => root(n.name)));
}

function lay_out_part(list, owner, flat) {
  const nodes = new Map(list.map((n) => [n.name, { ...n, before: [], after: [] }]));
  for (const n of nodes.values()) {
    set_layer(n, nodes);
    set_size(n, owner, flat);
  }
  const { layers, edges } = make_layers(nodes);
  set_order(layers);
  set_place(layers, flat ? 14 : 16);

  const all = layers.flat(),
    least = Math.min(...all.map((n) => n.at - n.low)),
    gap = flat ? 56 : 30;
  let along = flat ? 58 : 34;
  for (const layer of layers) {
    const deep = Math.max(...layer.map((n) => n.deep || 0));
    for (const n of layer) {
      n.along = along;
      n.deep ||= deep; /* bends */
      n.at -= least;
    }
    along += deep + gap;
  }
  return {
    nodes,
    edges,
    all,
    along: along - gap,
    across: Math.max(...all.map((n) => n.at + n.high)),
  };
}

function lay_out(group, flat) {
  const owner = new Map(),
    nodes = new Map(),
    edges = [];
  let along = 0,
    across = 0;
  for (const list of parts_of(group.nodes)) {
    const part = lay_out_part(list, owner, flat);
    for (const n of part.all) n.at += across;
    part.nodes.forEach((n, name) => nodes.set(name, n));
    edges.push(...part.edges);
    along = Math.max(along, part.along);
    across += part.across + PAD;
  }
  return {
    id: group.id,
    global: group.global,
    stores: group.stores,
    nodes,
    edges,
    along,
    across: across - PAD,
  };
}
