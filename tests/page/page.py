#!/usr/bin/env python3
"""The page of a worker in a real browser: what it draws, what its store browser finds, and what it shows when things go wrong.

usage: page.py PAGE_WORKER            checks
       page.py --write PAGE_WORKER    and takes the pictures of the docs (docs/page)

The workers are those of page_worker.c. Every wait is for a condition, with a generous limit.
"""
import json
import os
import sys
import time

from chromium import PATIENCE, Browser, Failed, program
from shop import TOKEN, Shop, need

ODD = '<b>bold</b> & "Sons"'  # a customer of page_worker.c
DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/page")
checks = 0


def check(ok, text):
    global checks
    checks += 1
    if not ok:
        raise Failed(text)


def same(got, wanted, what):
    check(got == wanted, f"{what}:\n  got    {got!r}\n  wanted {wanted!r}")


def js(value):
    return json.dumps(value)


class Test:
    def __init__(self, worker, write):
        self.write, self.shop = write, Shop(worker)
        self.b = Browser()

    def picture(self, name, height, width=1280):
        if not self.write:
            return
        self.wide(width, height)
        self.b.ask("scrollTo(0, 0)")
        size = self.b.picture(f"{DOCS}/{name}.png")
        check(size < 200000, f"{name}.png has {size} bytes")
        print(f"  {name}.png: {size} bytes")

    def wide(self, width, height=900):
        """A window of that size, the topology drawn for it."""
        self.b.size(width, height, 2 if width < 500 else 1)
        self.b.wait(f"innerWidth === {width} && document.querySelector('#drawing svg').dataset.flat === '{str(width > 640).lower()}'")

    def texts(self, selector):
        return self.b.ask(f"[...document.querySelectorAll({js(selector)})].map((e) => e.textContent)")

    def shows(self, selector, text):
        self.b.wait(f"document.querySelector({js(selector)})?.textContent.includes({js(text)})", f"{selector} shows {text!r}")

    def log_in(self, url):
        self.b.open(url)
        self.b.wait("document.querySelector('#login').open", "the page asks for the token")
        self.b.type(TOKEN)
        self.b.press("Enter")
        self.b.wait("!document.querySelector('#login').open && document.querySelector('[data-node]')", "the topology is drawn")

    def runs(self):
        self.b.wait("document.querySelector('#state').textContent === 'RUNNING' && document.querySelectorAll('[data-task]').length"
                    " && [...document.querySelectorAll('[data-task]')].every((r) => !r.textContent.includes('restoring'))", "all tasks run")

    def rows(self):
        return self.b.ask("[...document.querySelectorAll('#answer tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))")

    def keys_at_last(self, store, mode, key, wanted):
        end = time.monotonic() + PATIENCE
        self.find(store, mode, key)
        while self.texts("#answer td.key") != wanted and time.monotonic() < end:
            time.sleep(0.1)
            self.find(store, mode, key)
        same(self.texts("#answer td.key"), wanted, f"{store}, {mode} {key!r}")

    def find_at_last(self, store, mode, key):
        """What may not be committed yet."""
        end = time.monotonic() + PATIENCE
        said = self.find(store, mode, key)
        while not self.texts("#answer td.value") and time.monotonic() < end:
            time.sleep(0.1)
            said = self.find(store, mode, key)
        return said

    def find(self, store, mode, key):
        """Fills the store browser in and waits for what it says."""
        self.b.ask(f"""(() => {{
          const f = document.querySelector('#ask').elements;
          for (const [name, value] of [['store', {js(store)}], ['mode', {js(mode)}]]) {{
            f[name].value = value;
            f[name].dispatchEvent(new Event('change'));
          }}
          f.key.value = '';
          f.key.focus();
        }})()""")
        self.b.type(key)
        self.b.press("Enter")
        self.b.wait("!['', 'asking…'].includes(document.querySelector('#said').textContent)", f"an answer about {key!r}")
        return self.b.ask("document.querySelector('#said').textContent")

    # ---- cases, in this order ----

    def token(self):
        """Nothing without the token; a wrong one is asked for again; the right one is kept in this tab."""
        self.b.open(self.shop.first)
        self.b.wait("document.querySelector('#login').open")
        self.b.type("wrong")
        self.b.press("Enter")
        self.b.wait("document.querySelector('#login').open && document.querySelector('#login input').value === ''", "asked again")
        check(not self.texts("[data-node]"), "something is drawn without the token")
        self.log_in(self.shop.first)
        same(self.b.ask("sessionStorage.getItem('leat.token')"), TOKEN, "the token kept")
        same(self.b.ask("Object.keys(localStorage).filter((k) => k.includes('token')).length"), 0, "tokens kept longer")

    def topology(self):
        """Each node and store of the API is drawn once, no box lies over another, and records flow."""
        topology = self.shop.json("v1/topology")
        nodes = sorted(n["name"] for g in topology["sub_topologies"] for n in g["nodes"])
        stores = sorted(s["name"] for g in topology["sub_topologies"] for s in g["stores"])
        same(sorted(self.b.ask("[...document.querySelectorAll('[data-node]')].map((e) => e.dataset.node)")), nodes, "nodes")
        same(sorted(self.b.ask("[...document.querySelectorAll('[data-store]')].map((e) => e.dataset.store)")), stores, "stores")
        same(self.b.ask("document.querySelector('h1 span').textContent"), "shop", "the application")
        for width in (1280, 390):
            self.wide(width)
            same(self.overlaps(), [], f"boxes over each other, {width} wide")
        self.wide(1280)
        self.b.wait("document.querySelectorAll('.rate.live').length >= 8", "rates on the edges")
        self.b.wait("parseFloat(document.querySelector('#f-rate').textContent) > 0", "records/s")

    def overlaps(self):
        return self.b.ask("""(() => {
          const boxes = [...document.querySelectorAll('[data-node] .box, [data-store] .box')].map((e) => [e.parentNode, e.getBoundingClientRect()]);
          const name = (e) => e.dataset.node || e.dataset.store, found = [];
          boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
            if (p.left < q.right && q.left < p.right && p.top < q.bottom && q.top < p.bottom) found.push(`${name(a)} ${name(b)}`);
          }));
          return found;
        })()""")

    def tasks(self):
        """A row per task of this worker, with lag and rate."""
        self.runs()
        tasks = self.shop.json("v1/tasks")["tasks"]
        same(sorted(self.b.ask("[...document.querySelectorAll('[data-task]')].map((e) => e.dataset.task)")),
             sorted(t["task"] for t in tasks), "tasks")
        self.b.wait("[...document.querySelectorAll('[data-task]')].every((r) => /^[\\d.]+[kMG]?$/.test(r.cells[3].textContent))", "lags")
        self.b.wait("[...document.querySelectorAll('[data-task]')].some((r) => parseFloat(r.cells[4].textContent) > 0)", "rates")

    def stores(self):
        """Keys are found, also odd ones, which stay text; pages go on; what is not there is said."""
        self.b.ask("document.querySelector('[data-store=orders-by-customer]').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
        same(self.b.ask("document.querySelector('#ask').elements.store.value"), "orders-by-customer", "the store clicked at")
        said = self.find_at_last("orders-by-customer", "key", "customer-001")
        check("found" in said and "orders-" in said, f"said {said!r}")
        check(int(self.texts("#answer td.value")[0]) > 0, f"a count: {self.texts('#answer td')}")
        self.find_at_last("orders-by-customer", "key", ODD)
        same(self.texts("#answer td.key"), [ODD], "an odd key")
        same(self.b.ask("document.querySelectorAll('main b').length"), 0, "elements made of a key")
        same(self.b.ask("in_words(parse('{\"value\": [9007199254740993, 1]}').value)"), "[ 9007199254740993, 1 ]", "64 bits")
        said = self.find("orders-by-customer", "key", "nobody")
        same(self.shop.status("v1/stores/order-index/keys/x"), 409, "a store without rows")
        check("no such key" in said and not self.texts("#answer td"), f"an unknown key: {said!r}")

    def ranges(self):
        self.keys_at_last("orders-by-customer", "prefix", "customer-01", [f"customer-{i:03}" for i in range(10, 20)])
        self.keys_at_last("orders-by-customer", "range", "", [ODD, *(f"customer-{i:03}" for i in range(1, 50))])
        self.b.ask("[...document.querySelectorAll('#answer button')].find((b) => b.textContent === 'More').click()")
        self.b.wait("document.querySelectorAll('#answer td.key').length === 100", "the next page")
        keys = self.texts("#answer td.key")
        same(keys, [ODD, *(f"customer-{i:03}" for i in range(1, 100))], "two pages")
        self.find_at_last("per-minute", "key", "north")
        check(int(self.texts("#answer td.value")[0]) > 0, "a window's count")
        self.find_at_last("visits", "key", "customer-001")
        check(int(self.texts("#answer td.value")[0]) > 0, "a session's count")
        for mode in ("key", "versions"):
            self.find_at_last("customers", mode, "customer-001")
            same([r[0] for r in self.rows()], ["customer-001"], "the key of a version")
            same([r[2:4] for r in self.rows()], [["now", "east"]], "until when, and what")

    def looks(self):
        """Dark when the system or the button says so, readable in both, and no wider than a phone."""
        for scheme in ("light", "dark"):
            self.b.colours(scheme)
            same(self.dark(), scheme == "dark", f"the system's {scheme}")
            low = self.b.ask("""(() => {
              const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
              const probe = document.body.appendChild(document.createElement('i'));
              const light = (name) => {
                probe.style.color = `var(--${name})`;
                pen.fillStyle = getComputedStyle(probe).color;
                pen.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
              };
              const pairs = ['text', 'quiet', 'accent', 'good', 'warn', 'bad'].flatMap((a) => ['panel', 'back', 'sunk'].map((b) => [a, b]));
              const found = [...pairs, ['bad', 'bad-tint'], ['text', 'tint'], ['quiet', 'tint'], ['panel', 'accent']]
                .map(([a, b]) => [a, b, light(a), light(b)]).filter(([a, b, x, y]) => Math.max(x, y) / Math.min(x, y) < 4.5);
              probe.remove();
              return found.map(([a, b]) => `${a} on ${b}`);
            })()""")
            same(low, [], f"too little contrast, {scheme}")
        self.b.ask("document.querySelector('#theme').click()")
        same(self.dark(), False, "light by the button")
        self.b.ask("document.querySelector('#theme').click()")
        self.b.colours("light")
        same(self.dark(), True, "dark by the button")
        self.b.ask("document.querySelector('#theme').click()")
        same(self.dark(), False, "as the system says")
        unnamed = self.b.ask("[...document.querySelectorAll('button, input, select')].filter((e) => !e.labels?.length && !e.textContent.trim()"
                             " && !e.getAttribute('aria-label')).length")
        same(unnamed, 0, "controls without a name")
        self.wide(390)
        self.b.wait("document.documentElement.scrollWidth <= 390", "no wider than a phone")
        self.picture("phone", 844, 390)
        self.wide(1280)

    def restoring(self):
        """A worker that comes back without its state: how far it is, until it runs."""
        self.shop.tell("restart")
        self.b.wait("!document.querySelector('#banner').hidden", "the old address is dead")
        self.shop.first = self.shop.started()
        self.log_in(self.shop.first)
        self.b.wait("document.querySelector('#restoring').checkVisibility() && document.querySelector('#restoring progress').value > 0"
                    " && document.querySelector('#restoring progress').position < 1", "a restore under way")
        self.shows("#restoring div", "to go")
        self.b.wait("[...document.querySelectorAll('[data-task]')].some((r) => r.textContent.includes('restoring') && r.querySelector('progress'))")
        self.picture("restoring", 1100)
        self.shop.tell("hurry")
        self.runs()
        self.b.wait("document.querySelector('#restoring').hidden", "the restore has ended")

    def dead(self):
        """A second worker comes and dies: its card says so."""
        self.shop.tell("second")
        second = self.shop.started()
        self.b.wait("document.querySelectorAll('[data-worker]').length === 2", "two workers")
        self.b.wait("[...document.querySelectorAll('[data-worker]')].every((w) => w.querySelector('[data-task], .chips li:not(.copy)'))", "both have tasks")
        self.b.wait("document.querySelectorAll('.rate.live').length >= 8", "records flow again")
        self.b.wait(f"document.querySelector('[data-worker] h3 a')?.href === {js(second)}", "a link to its page")
        self.find_at_last("orders-by-customer", "prefix", "customer-01")
        self.picture("running", 1330)
        self.shop.tell("lose")
        self.b.wait("document.querySelectorAll('[data-worker] .pill.bad').length === 1", "one of them is gone")
        self.runs()
        self.b.wait("document.querySelectorAll('[data-task]').length === 6", "its tasks are here")
        self.b.wait("document.querySelectorAll('.rate.live').length >= 8", "records flow again")
        self.picture("dead-worker", 1100)

    def silence(self):
        """The worker itself dies: the page says so, keeps what it has, and tries again."""
        self.shop.kill()
        self.shows("#banner span", "does not answer")
        self.b.wait("document.querySelector('#banner').checkVisibility()")
        check(self.texts("[data-node]"), "the last drawing is gone")
        self.b.ask("document.querySelector('#banner button').click()")

    def dark(self):
        return self.b.ask("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 25)"

    def run(self):
        for case in (self.token, self.topology, self.tasks, self.stores, self.ranges, self.looks, self.restoring, self.dead, self.silence):
            before = checks
            case()
            print(f"ok {case.__name__}: {checks - before} checks", flush=True)
        same(self.b.errors, [], "what the page complained about")

    def close(self):
        self.b.close()
        self.shop.close()


def main():
    words = [w for w in sys.argv[1:] if w != "--write"]
    need("Chromium", program())
    if "--write" in sys.argv:
        os.makedirs(DOCS, exist_ok=True)
    test = Test(os.path.abspath(words[0]), "--write" in sys.argv)
    try:
        test.run()
    finally:
        test.close()


main()
