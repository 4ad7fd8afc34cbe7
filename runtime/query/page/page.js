/*
 * page.js: asks again and again and shows what comes; says so when nothing does; light and dark.
 */
const POLL_MS = 1000;
const WAIT_MAX_MS = 15000; /* between two tries, when there is no answer */
const SLOW_POLLS = 5; /* what seldom changes is asked for every so many polls */

let drawn = ""; /* the topology, as text */

function show_topology(topology) {
  if (JSON.stringify(topology) === drawn) return;
  drawn = JSON.stringify(topology);
  show($("application"), topology.application_id);
  document.title = `${topology.application_id} · leat`;
  draw(topology);
}

async function poll(round) {
  const seldom = round % SLOW_POLLS === 0;
  const [tasks, nodes, workers, stores, topology] = await Promise.all([
    get("v1/tasks"),
    get("v1/nodes"),
    get("v1/workers"),
    seldom && get("v1/stores"),
    seldom && get("v1/topology"),
  ]);
  const now = performance.now();
  if (topology) show_topology(topology);
  if (stores) show_stores(stores);
  show_tasks(tasks, now);
  show_workers(workers, tasks.tasks);
  show_rates(new Map(nodes.nodes.map((n) => [n.name, rate_of(`node ${n.name}`, n.records, now)])));
}

/* ---- for ever ---- */

let wake = () => {};
function sleep(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function say_silence(e, since_ms, wait_ms) {
  const what = e instanceof Refused ? `answers with an error: ${e.message}` : "does not answer";
  document.body.classList.add("stale");
  $("banner").hidden = false;
  show(
    $("banner").querySelector("span"),
    `This worker ${what}. What is shown is of ${clock(since_ms)}; ` +
      `trying again in ${duration(wait_ms / 1000)}.`,
  );
}
function say_all_well() {
  document.body.classList.remove("stale");
  $("banner").hidden = true;
}

async function run() {
  let failures = 0,
    since_ms = Date.now();
  for (let round = 0; ; round++) {
    let wait_ms = POLL_MS;
    try {
      await poll(round);
      failures = 0;
      since_ms = Date.now();
      say_all_well();
    } catch (e) {
      wait_ms = Math.min(WAIT_MAX_MS, POLL_MS * 2 ** failures++);
      round = -1; /* what comes back may be another program */
      say_silence(e, since_ms, wait_ms);
      if (!(e instanceof Refused || e.name === "TypeError" || e.name === "TimeoutError")) throw e;
    }
    await sleep(wait_ms);
    while (document.hidden) await sleep(60000);
  }
}

$("banner")
  .querySelector("button")
  .addEventListener("click", () => wake());
document.addEventListener("visibilitychange", () => document.hidden || wake());

$("as-text").addEventListener("toggle", async () => {
  const text = $("as-text").querySelector("pre");
  if (!$("as-text").open) return;
  try {
    show(text, await get("v1/topology?format=text", "text"));
  } catch (e) {
    show(text, e.message);
  }
});

let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => drawn && draw(JSON.parse(drawn)), 150);
});

/* ---- light, dark, or as the system says ---- */

const themes = ["", "light", "dark"];
function set_theme(theme) {
  const name = theme || "system";
  document.documentElement.dataset.theme = theme;
  show($("theme"), `◐ ${name}`);
  $("theme").setAttribute("aria-label", `Colours: ${name}. Change`);
  keep(localStorage, "theme", theme);
}
$("theme").addEventListener("click", () => {
  set_theme(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length]);
});
set_theme(themes.includes(kept(localStorage, "theme")) ? kept(localStorage, "theme") : "");

run();
