/*
 * api.js: asking the worker, with its token, which is asked for when it is missing or wrong; and
 * rates, made of the totals that it tells.
 */
const GIVE_UP_MS = 8000; /* on an answer */
const WINDOW_MS = 5000; /* of rates */

/* Where a browser keeps nothing, the user is asked again. */
function kept(storage, name) {
  try {
    return storage.getItem(`leat.${name}`);
  } catch {
    return null;
  }
}
function keep(storage, name, value) {
  try {
    storage.setItem(`leat.${name}`, value);
  } catch {
    /* see above */
  }
}

class Refused extends Error {
  constructor(status, error) {
    super(error.text || `HTTP status ${status}`);
    this.code = error.code;
    this.owner = error.owner;
  }
}

function ask_for_token() {
  const dialog = $("login"),
    input = dialog.querySelector("input");
  return new Promise((resolve) => {
    const end = () => {
      keep(sessionStorage, "token", input.value.trim());
      input.value = "";
      resolve();
    };
    dialog.addEventListener("close", end, { once: true });
    dialog.showModal();
  });
}
let asking = null; /* one question for all requests that were refused */

/* Whole numbers beyond 2^53 keep all their digits, where the browser can. */
function parse(text) {
  const exact = (name, value, { source }) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) ? JSON.rawJSON(source) : value;
  return JSON.parse(text, JSON.rawJSON ? exact : undefined);
}

async function get(path, kind = "json") {
  for (;;) {
    const token = kept(sessionStorage, "token");
    const response = await fetch(path, {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      cache: "no-store",
      signal: AbortSignal.timeout(GIVE_UP_MS),
    });
    if (response.ok) return kind === "json" ? parse(await response.text()) : response.text();
    if (response.status !== 401) {
      const told = await response.json().catch(() => ({}));
      throw new Refused(response.status, told.error || {});
    }
    if (token === kept(sessionStorage, "token")) {
      /* else another request has asked meanwhile */
      asking ||= ask_for_token();
      await asking;
      asking = null;
    }
  }
}

/* ---- rates ---- */

const totals = new Map(); /* by name: [{now, total}], the first about WINDOW_MS old */

/* null: not known yet. */
function rate_of(name, total, now) {
  let list = totals.get(name);
  if (!list || total < list.at(-1).total) totals.set(name, (list = []));
  list.push({ now, total });
  while (list.length > 2 && now - list[1].now >= WINDOW_MS) list.shift();
  return list.length < 2 ? null : ((total - list[0].total) * 1000) / (now - list[0].now);
}
