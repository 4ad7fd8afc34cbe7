/*
 * stores.js: the store browser: a question put together from the form, and the rows that answer it.
 */
const ROWS = 50; /* of a page */

/* What can be asked of each kind of store: the part of the path, and the ways to ask. */
const shelves = {
  "key-value": {
    path: "keys",
    modes: { key: "a key", prefix: "keys that begin with", range: "keys from, to" },
  },
  window: {
    path: "windows",
    modes: { key: "windows of a key", range: "windows of keys from, to" },
  },
  session: {
    path: "sessions",
    modes: { key: "sessions of a key", range: "sessions of keys from, to" },
  },
  versioned: {
    path: "versions",
    modes: { key: "the version of a key", versions: "all versions of a key" },
  },
};
const form = $("ask").elements;
let stores = [];

/* ---- the form ---- */

const chosen = () => stores.find((one) => one.name === form.store.value);

function offer(select, names, text_of) {
  const before = select.value;
  select.replaceChildren(...names.map((name) => h("option", { value: name }, text_of(name))));
  if (names.includes(before)) select.value = before;
}
function field(name, on, text) {
  const label = form[name].closest("label");
  label.hidden = !on;
  if (text) label.firstChild.textContent = text;
}
function facts_of(store) {
  if (!store) return "This topology has no stores.";
  const where = store.global
    ? "global, whole in every worker"
    : `partitions here: ${store.partitions.join(", ") || "none"}`;
  return [
    store.kind,
    `${store.key} → ${store.value}`,
    where,
    store.changelog && `changelog ${store.changelog}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function show_form() {
  const store = chosen(),
    shelf = store && shelves[store.kind],
    modes = shelf ? shelf.modes : {};
  offer(form.mode, Object.keys(modes), (mode) => modes[mode]);
  const mode = form.mode.value,
    timed = shelf && store.kind !== "key-value";
  const as_of = timed && store.kind === "versioned" && mode === "key";
  field("mode", shelf);
  field("key_format", shelf);
  field("key", shelf, { prefix: "prefix", range: "from key" }[mode] || "key");
  field("to", mode === "range");
  field("since", timed && !as_of);
  field("until", timed, as_of ? "as of" : "to");
  $("ask").querySelector("button").disabled = !shelf;
  show($("store-facts"), facts_of(store));
}
function choose_store(name) {
  form.store.value = name;
  form.store.dispatchEvent(new Event("change"));
}
function show_stores(list) {
  if (JSON.stringify(list) === JSON.stringify(stores)) return;
  stores = list;
  offer(
    form.store,
    list.map((one) => one.name),
    (name) => name,
  );
  show_form();
}

/* ---- the question ---- */

const time_of = (name) => form[name].value && String(new Date(form[name].value).getTime());

/* The parameters of a range, or of the times of one key. */
function bounds(store, mode) {
  const times = { from: time_of("since"), to: time_of("until") };
  const keys = [form.key.value, form.to.value];
  if (mode === "prefix") return { prefix: keys[0] };
  if (mode === "versions") return { ...times, from: times.from || "0" };
  if (store.kind === "versioned") return { as_of: times.to };
  if (mode !== "range") return times;
  return store.kind === "key-value"
    ? { from: keys[0], to: keys[1] }
    : { from_key: keys[0], to_key: keys[1], ...times };
}
function question() {
  const store = chosen(),
    mode = form.mode.value,
    whole = mode === "range" || mode === "prefix";
  const one_row = mode === "key" && (store.kind === "key-value" || store.kind === "versioned");
  const all = {
    ...(mode === "key" && store.kind === "key-value" ? {} : bounds(store, mode)),
    key_format: form.key_format.value === "text" ? "" : form.key_format.value,
    isolation: form.latest.checked ? "latest" : "",
    stale: form.stale.checked ? "true" : "",
    limit: one_row ? "" : String(ROWS),
  };
  const key = whole ? "" : `/${encodeURIComponent(form.key.value)}`;
  return {
    path: `v1/stores/${encodeURIComponent(store.name)}/${shelves[store.kind].path}${key}`,
    query: new URLSearchParams(Object.entries(all).filter(([, value]) => value)),
  };
}

/* ---- the answer ---- */

function in_words(value) {
  if (typeof value === "string") return value;
  if (value && typeof value.base64 === "string" && Object.keys(value).length === 1)
    return `base64 ${value.base64}`;
  return JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
}
function value_cell(value) {
  const text = in_words(value),
    long = text.length > 400;
  const folded = () =>
    h(
      "details",
      {},
      h("summary", {}, `${text.slice(0, 120)}… (${full(text.length)} characters)`),
      text,
    );
  return h("td", { class: "mono value" }, long ? folded() : text);
}
const when = (ms) => h("td", { class: "when" }, Number.isFinite(ms) ? moment(ms) : "–");

/* Rows of one store have the same members. */
function columns_of(row) {
  return [
    { name: "key", cell: (r) => h("td", { class: "mono key" }, in_words(r.key)) },
    "window" in row && { name: "window from", cell: (r) => when(r.window.start) },
    "window" in row && { name: "to", cell: (r) => when(r.window.end) },
    "from" in row && { name: "from", cell: (r) => when(r.from) },
    "from" in row && {
      name: "to",
      cell: (r) => (r.to === null ? h("td", { class: "when" }, "now") : when(r.to)),
    },
    { name: "value", cell: (r) => value_cell(r.value) },
    "timestamp" in row && { name: "time", cell: (r) => when(r.timestamp) },
    { name: "partition", kind: "n spare", cell: (r) => h("td", { class: "n spare" }, r.partition) },
  ].filter(Boolean);
}
function table_of(columns, body) {
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        columns.map((c) => h("th", { scope: "col", class: c.kind }, c.name)),
      ),
    ),
    body,
  );
}
function about(answer, shown) {
  return [
    shown,
    answer.owner && `answered by ${answer.owner}`,
    answer.position && `as of ${answer.position}`,
    answer.lag > 0 && `${full(answer.lag)} changelog records behind`,
  ]
    .filter(Boolean)
    .join(" · ");
}
function say(text, bad) {
  $("said").className = bad ? "small bad" : "small quiet";
  show($("said"), text);
}
function say_failure(e) {
  if (!(e instanceof Refused)) return say("The worker did not answer.", true);
  say(`${e.message}${e.owner ? ` (ask ${e.owner})` : ""}`, e.code !== "not_found");
}

let asked = 0; /* an answer to an earlier question comes too late */
async function find() {
  const mine = ++asked,
    { path, query } = question();
  const body = h("tbody"),
    more = h("button", { type: "button" }, "More");
  let columns = null,
    shown = 0;

  async function page(next) {
    if (next) query.set("page", next);
    const text = String(query);
    try {
      const answer = await get(text ? `${path}?${text}` : path),
        rows = answer.rows || [answer];
      if (mine !== asked) return;
      if (!columns && rows.length) {
        columns = columns_of(rows[0]);
        $("answer").replaceChildren(table_of(columns, body), more);
      }
      body.append(
        ...rows.map((r) =>
          h(
            "tr",
            {},
            columns.map((c) => c.cell(r)),
          ),
        ),
      );
      shown += rows.length;
      more.hidden = !answer.next;
      more.onclick = () => page(answer.next);
      say(
        about(
          answer,
          !answer.rows
            ? "found"
            : !shown
              ? "nothing found"
              : `${count(shown, "row")}${answer.next ? ", and more" : ""}`,
        ),
      );
    } catch (e) {
      if (mine === asked) say_failure(e);
    }
  }
  say("asking…");
  $("answer").replaceChildren();
  await page(null);
}

$("ask").addEventListener("submit", (e) => {
  e.preventDefault();
  find();
});
form.store.addEventListener("change", () => {
  asked++;
  $("answer").replaceChildren();
  say("");
  show_form();
});
form.mode.addEventListener("change", show_form);
show_form();
