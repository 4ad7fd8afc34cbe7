/*
 * workers.js: the workers of the application, this one's tasks, and how far restores are.
 *
 * A worker that is in the list no more stays on the page as gone, with the tasks that it had.
 */
const TASKS_SHOWN = 100;

const tones = {
  RUNNING: "good",
  REBALANCING: "warn",
  CREATED: "warn",
  ERROR: "bad",
  PENDING_ERROR: "bad",
  running: "good",
  leaving: "warn",
  restarting: "warn",
  gone: "bad",
  restoring: "warn",
};
const tone = (state) => tones[state] || "idle";
const pill = (state) => h("span", { class: `pill ${tone(state)}` }, state);
const count = (n, one, more = `${one}s`) => `${n} ${n === 1 ? one : more}`;

/* ---- tasks ---- */

function replay_of(t) {
  if (t.state === "running") return [];
  if (t.records_left === null) return ["looking at its changelogs"];
  if (t.records_left === 0) return ["up to date"];
  if (t.state !== "restoring") return [`${compact(t.records_left)} behind`];
  const done = t.records_total - t.records_left;
  return [
    h("progress", { max: t.records_total, value: done, "aria-label": `restore of ${t.task}` }),
    `${compact(t.records_left)} left, ${compact(t.records_per_second)}/s`,
  ];
}

function task_row(t) {
  const number = (value) => h("td", { class: "n" }, t.state === "running" ? compact(value) : "–");
  return h(
    "tr",
    { "data-task": t.task },
    h("td", { class: "mono" }, t.task),
    h("td", { class: "n spare" }, t.thread),
    h("td", {}, h("span", { class: `dot ${tone(t.state)}` }, t.state)),
    number(t.lag),
    number(t.rate),
    h("td", { class: "bar small quiet" }, replay_of(t)),
  );
}

let all_shown = false;
function task_table(tasks) {
  const order = { restoring: 0, running: 1, standby: 2 };
  const sorted = [...tasks].sort(
    (a, b) =>
      order[a.state] - order[b.state] || a.subtopology - b.subtopology || a.partition - b.partition,
  );
  const shown = all_shown ? sorted : sorted.slice(0, TASKS_SHOWN);
  const column = (name, kind) => h("th", { scope: "col", class: kind }, name);
  const more = h("button", { type: "button", class: "flat" }, `all ${tasks.length} tasks`);
  more.addEventListener("click", () => {
    all_shown = true;
    more.remove();
  });
  return [
    h(
      "div",
      { class: "wide" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            column("task"),
            column("thread", "n spare"),
            column("state"),
            column("lag", "n"),
            column("records/s", "n"),
            column(tasks.some((t) => t.state !== "running") ? "state to replay" : ""),
          ),
        ),
        h("tbody", {}, shown.map(task_row)),
      ),
    ),
    shown.length < tasks.length ? more : null,
  ];
}

function show_restore(active) {
  const busy = active.filter((t) => t.state === "restoring");
  const sum = (what) => busy.reduce((total, t) => total + (t[what] || 0), 0);
  const left = sum("records_left"),
    total = sum("records_total"),
    speed = sum("records_per_second");
  const when = speed >= 1 ? `, about ${duration(left / speed)} to go` : "";
  const bar = $("restoring").querySelector("progress");
  $("restoring").hidden = busy.length === 0;
  bar.max = total || 1;
  bar.value = total - left;
  show(
    $("restoring").firstElementChild,
    `${busy.length} of ${count(active.length, "task")} restore their state: ` +
      `${full(left)} of ${full(total)} records left, ${compact(speed)}/s${when}`,
  );
}

/* Also gives each task its rate. */
function show_tasks(report, now) {
  const active = report.tasks.filter((t) => t.role === "active");
  for (const t of report.tasks) t.rate = rate_of(`task ${t.task}`, t.processed, now);
  const sum = (what) => {
    const known = active.filter((t) => Number.isFinite(t[what]));
    return known.length ? compact(known.reduce((total, t) => total + t[what], 0)) : "–";
  };
  show($("f-rate"), sum("rate"));
  show($("f-lag"), sum("lag"));
  show($("f-tasks"), String(active.length));
  show($("state"), report.state);
  $("state").className = `pill ${tone(report.state)}`;
  show_restore(active);
}

/* ---- workers ---- */

const known = new Map(); /* by process: {worker, gone_ms}; those seen since the page was opened */

/* Where its page is, if it tells an address. */
function address_of(w) {
  const url = w.host && (w.host.includes("://") ? w.host : `${location.protocol}//${w.host}`);
  return url && /^https?:/.test(url) ? url : null;
}
function chips(w) {
  const copy = { class: "copy", title: "a copy of its state" };
  return h(
    "ul",
    { class: "chips", "aria-label": "tasks" },
    w.tasks.map((t) => h("li", {}, t)),
    w.standbys.map((t) => h("li", copy, t)),
  );
}
function worker_card({ worker: w, gone_ms }, here, tasks) {
  const url = here || gone_ms ? null : address_of(w),
    name = w.host || w.process.slice(0, 8);
  const about = gone_ms
    ? `not in the group since ${clock(gone_ms)}; it had ${count(w.tasks.length, "task")}`
    : [
        count(w.threads, "thread"),
        count(w.tasks.length, "task"),
        count(w.standbys.length, "standby copy", "standby copies"),
      ].join(", ");
  return h(
    "article",
    { class: "worker", "data-worker": w.process },
    h(
      "div",
      { class: "who" },
      h("h3", { title: `process ${w.process}` }, url ? h("a", { href: url }, name) : name),
      pill(gone_ms ? "gone" : w.state),
      here && h("span", { class: "small" }, "this worker"),
      w.leads &&
        !gone_ms &&
        h("span", { class: "small quiet", title: "gives the tasks to the workers" }, "leads"),
      h("span", { class: "small quiet about" }, about),
    ),
    here && tasks.length ? task_table(tasks) : chips(w),
  );
}

function note_workers(report) {
  const listed = new Set(report.workers.map((w) => w.process));
  for (const w of report.workers) known.set(w.process, { worker: w, gone_ms: 0 });
  if (report.generation === null) return;
  for (const k of known.values()) if (!listed.has(k.worker.process)) k.gone_ms ||= Date.now();
}
function show_workers(report, tasks) {
  const here = (k) => k.worker.process === report.this_process;
  note_workers(report);
  const cards = [...known.values()]
    .sort(
      (a, b) =>
        here(b) - here(a) ||
        a.gone_ms - b.gone_ms ||
        a.worker.process.localeCompare(b.worker.process),
    )
    .map((k) => worker_card(k, here(k), tasks));
  if (!cards.length)
    cards.push(h("div", { class: "worker quiet" }, "No placement yet: the group is forming."));
  const focused = document.activeElement.closest("#workers a")?.href;
  $("workers").replaceChildren(...cards);
  if (focused)
    [...document.querySelectorAll("#workers a")].find((a) => a.href === focused)?.focus();
  show($("f-workers"), String(report.workers.length || "–"));
  show(
    $("placement"),
    report.generation === null
      ? ""
      : `generation ${report.generation}, placement ${report.revision}`,
  );
}
