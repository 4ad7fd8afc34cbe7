#!/usr/bin/env python3
"""describe, query and top beside a worker that is made up: what they ask, what they show, and what they say of bad answers.

usage: worker.py LEAT

The made-up worker answers as docs/HTTP.md says; tests/cli/live.py asks real ones.
"""
import base64
import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.parse

LEAT = sys.argv[1]
LIMIT_S = 60  # for anything that should happen at once
ENV = {k: v for k, v in os.environ.items() if k not in ("LEAT_CONFIG", "LEAT_HTTP_TOKEN", "NO_COLOR")}
checks = 0


def check(ok, text):
    global checks
    checks += 1
    if not ok:
        raise AssertionError(text)


def same(got, wanted, what):
    check(got == wanted, f"{what}:\n  got    {got!r}\n  wanted {wanted!r}")


# ---- the made-up worker ----

def error(code, text, **more):
    return {"error": {"code": code, "text": text, **more}}


class Worker(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, token=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.at = f"127.0.0.1:{self.server_address[1]}"
        self.token, self.asked, self.answers, self.processed = token, [], {}, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, address):
        pass  # a client that went away

    def answer(self, path, query):
        """(status, body): the body is JSON, or text or bytes as they are."""
        if path in self.answers:
            given = self.answers[path]
            return given(query) if callable(given) else given
        return 404, error("not_found", f"there is no {path}")

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body=None):
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        self.server.asked.append((url.path, query, body))
        if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            status, answer = 401, error("unauthorized", "no")
        else:
            status, answer = self.server.answer(url.path, {**query, "body": body})
        if callable(answer):
            answer(self)
            return
        data = answer if isinstance(answer, bytes) else answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.reply()

    def do_POST(self):
        self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))


def events(*parts, then=None):
    """A feed: text/event-stream that ends behind these parts, or waits for then()."""
    def send(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for part in parts:
            handler.wfile.write(part.encode())
            handler.wfile.flush()
        if then:
            then()
        handler.close_connection = True
    return 200, send


# ---- the program ----

def leat(*words, status=0, err=None, env=None):
    done = subprocess.run([LEAT, *map(str, words)], capture_output=True, text=True, timeout=LIMIT_S, env={**ENV, **(env or {})},
                          stdin=subprocess.DEVNULL)
    told = f"leat {' '.join(map(str, words))}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    check(done.returncode == status, f"{told}\nwanted status {status}")
    check(err is None or err in done.stderr, f"{told}\nwanted {err!r} on standard error")
    leat.stderr = done.stderr
    return done.stdout


def rows(*words, **more):
    return [json.loads(line) for line in leat(*words, "--json", **more).splitlines()]


class Terminal:
    """The program on a terminal of its own, of which it is the foreground."""

    def __init__(self, *words, size=(24, 80), env=None):
        self.ours, self.theirs = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.theirs)
        self.run = subprocess.Popen([LEAT, *words], stdin=self.theirs, stdout=self.theirs, stderr=self.theirs,
                                    start_new_session=True, env={**ENV, "TERM": "xterm", **(env or {})},
                                    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, pattern, what):
        """Reads on until the pattern is in what was not yet looked at; returns the match."""
        limit = time.monotonic() + LIMIT_S
        while not (found := re.search(pattern, self.seen, re.S)):
            check(time.monotonic() < limit, f"{what}: not shown in {LIMIT_S} s: {self.seen[-1500:]!r}")
            if select.select([self.ours], [], [], 1)[0]:
                self.seen += os.read(self.ours, 65536)
        self.seen = self.seen[found.end():]
        return found

    def key(self, key):
        os.write(self.ours, key)

    def end(self, status=0):
        limit = time.monotonic() + LIMIT_S
        while self.run.poll() is None:
            check(time.monotonic() < limit, f"it does not end: {self.seen[-500:]!r}")
            if select.select([self.ours], [], [], 0.1)[0]:
                self.seen += os.read(self.ours, 65536)
        while select.select([self.ours], [], [], 0)[0]:
            self.seen += os.read(self.ours, 65536)
        same(self.run.returncode, status, f"status on a terminal; shown: {self.seen[-500:]!r}")
        same(termios.tcgetattr(self.theirs), self.before, "the settings of the terminal afterwards")
        os.close(self.ours)
        os.close(self.theirs)
        return self.seen


def until(ask, wanted, what):
    """Asks again: on a slow machine a worker may take longer than top waits for it."""
    limit = time.monotonic() + LIMIT_S
    while (got := ask()) != wanted:
        check(time.monotonic() < limit, f"{what}:\n  got    {got!r}\n  wanted {wanted!r}")


# ---- cases ----

STORES = [{"name": "counts", "kind": "key-value", "key": "string", "value": "int64", "partitions": [0, 1], "global": False,
           "changelog": "app-counts-changelog"},
          {"name": "per-minute", "kind": "window", "key": "string", "value": "int64", "partitions": [0]},
          {"name": "visits", "kind": "session", "key": "string", "value": "int64", "partitions": [0]},
          {"name": "prices", "kind": "versioned", "key": "string", "value": "double", "partitions": [0]}]
TASKS = [{"task": "0_0", "thread": 0, "role": "active", "state": "running", "processed": 120, "lag": 7, "records_left": 0,
          "records_total": 0, "records_per_second": 0},
         {"task": "0_1", "thread": 1, "role": "active", "state": "restoring", "processed": 0, "lag": None, "records_left": 250,
          "records_total": 1000, "records_per_second": 50}]
WORKERS = {"generation": 3, "this_process": "p-1", "workers": [
    {"process": "p-1", "host": "", "threads": 2, "leads": True, "state": "running", "tasks": ["0_0", "0_1"], "standbys": []}]}


def row(key, value, partition=0, **more):
    return {"key": key, "value": value, "timestamp": 1700000000000, "partition": partition, **more}


def described(w):
    w.answers = {"/v1/topology": lambda q: (200, {"application_id": "app", "sub_topologies": []}) if q.get("format", "json") == "json"
                 else (200, f"Topologies in {q['format']}\n"),
                 "/v1/tasks": (200, {"state": "RUNNING", "tasks": TASKS}), "/v1/workers": (200, WORKERS), "/v1/stores": (200, STORES)}
    shown = leat("describe", w.at, err="is RUNNING")
    check(re.search(r"^Topologies in text\n\nTASK +THREAD", shown), shown)
    check(re.search(r"^0_1 +1  active  restoring +0 +- +250$", shown, re.M), shown)
    check(re.search(r"^p-1 +- +running +2  yes +0_0,0_1 +-$", shown, re.M), shown)
    check(re.search(r"^counts +key-value +string +int64 +0,1 +app-counts-changelog$", shown, re.M), shown)
    same(leat("describe", w.at, "--format", "dot"), "Topologies in dot\n", "--format dot")
    check(leat("describe", "--worker", f"http://{w.at}/", "--tasks").startswith("TASK"), "--tasks")
    [all_] = rows("describe", w.at)
    same((all_["state"], all_["tasks"], all_["workers"], all_["stores"], all_["topology"]["application_id"]),
         ("RUNNING", TASKS, WORKERS["workers"], STORES, "app"), "describe --json")
    same(sorted(rows("describe", w.at, "--stores")[0]), ["stores", "worker"], "--stores --json")


def queried(w):
    key = "a/b ü?&%"
    w.answers = {"/v1/stores": (200, STORES)}
    at = ["--worker", w.at]
    w.answers[f"/v1/stores/counts/keys/{urllib.parse.quote(key, safe='')}"] = (
        200, row(key, 5, 1, position="in-1@43", lag=3, owner=w.at))
    same(leat("query", "counts", *at, "--key", key, err="1 row, as of in-1@43\na copy answered that is 3 records behind"),
         f"1\t2023-11-14T22:13:20.000Z\t{key}\t5\n", "one key")
    leat("query", "counts", *at, "--key", key, "--stale", "--latest", "--at-least", "in-1@43", "--partition", "0,3", "--local",
         "--key-format", "text", "--timeout", "5s", "--quiet")
    same(leat.stderr, "", "--quiet")
    same(w.asked[-1][1], {"stale": "true", "isolation": "latest", "at_least": "in-1@43", "partitions": "0,3", "routed": "false",
                          "key_format": "text", "timeout_ms": "4500"}, "how to read")

    w.answers["/v1/stores/counts/keys/x%2Cy"] = 200, row("x,y", 1)
    w.answers["/v1/stores/counts/keys/z"] = 200, row("z", 1)
    same([r["key"] for r in rows("query", "counts", *at, "--key", "x,y", "--key", "z")], ["x,y", "z"], "several keys")
    same([r["key"] for r in rows("query", "counts", *at, "--key", "nix", "--key", "z", status=3, err="leat: nix: there is no")],
         ["z"], "several keys, one of which is not there")

    # Pages: 250 rows by 100, a token each; what --limit leaves.
    def keys(q):
        start = int(q.get("page", "t0")[1:])
        end = min(start + int(q.get("limit", 100)), 250)
        return 200, {"rows": [row(f"k{i:04d}", {"n": i}) for i in range(start, end)], "next": f"t{end}" if end < 250 else None,
                     "position": "in-0@9", "lag": 0}
    w.answers["/v1/stores/counts/keys"] = keys
    w.asked.clear()
    lines = leat("query", "counts", *at, "--from", "k0000", "--to", "l", "--order", "asc").splitlines()
    same((len(lines), lines[0], lines[-1]), (250, '0\t2023-11-14T22:13:20.000Z\tk0000\t{"n":0}',
                                             '0\t2023-11-14T22:13:20.000Z\tk0249\t{"n":249}'), "all pages")
    same([(q.get("page"), q.get("limit"), q.get("from"), q.get("to"), q.get("order")) for _, q, _ in w.asked[1:]],
         [(p, None, "k0000", "l", "asc") for p in (None, "t100", "t200")], "the pages asked for")
    same(len(rows("query", "counts", *at, "--limit", "101", "--prefix", "k")), 101, "--limit")
    same(len(leat("query", "counts", *at, "--limit", "5", err="there are more rows: --page t5").splitlines()), 5, "--limit 5")
    same(leat("query", "counts", *at, "--page", "t249").split("\t")[2], "k0249", "--page")
    reader = subprocess.run(["bash", "-c", '"$0" query counts --worker "$1" | head -1', LEAT, w.at], capture_output=True, text=True,
                            timeout=LIMIT_S, env=ENV)
    check(reader.stdout.startswith("0\t") and "cannot write" not in reader.stderr, f"into head: {reader}")

    # Windows, sessions, versions.
    window = {"key": "a", "value": 2, "window": {"start": 60000, "end": 120000}, "partition": 0}
    w.answers["/v1/stores/per-minute/windows/a"] = w.answers["/v1/stores/per-minute/windows"] = \
        w.answers["/v1/stores/visits/sessions/a"] = (200, {"rows": [window], "next": None})
    times = "1970-01-01T00:01:00.000Z\t1970-01-01T00:02:00.000Z"
    same(leat("query", "per-minute", *at, "--key", "a", "--from-time", "1970-01-01T00:00:01Z", "--to-time", "120000"),
         f"0\ta\t{times}\t2\n", "a window")
    same([w.asked[-1][1].get(k) for k in ("from", "to")], ["1000", "120000"], "its times")
    leat("query", "per-minute", *at, "--from", "a", "--to", "b")
    same([w.asked[-1][1].get(k) for k in ("from_key", "to_key", "from")], ["a", "b", None], "windows of a range of keys")
    same(rows("query", "visits", *at, "--key", "a"), [window], "a session")
    version = {"key": "a", "value": 1.5, "from": 60000, "to": None, "partition": 0}
    w.answers["/v1/stores/prices/versions/a"] = lambda q: (200, {"rows": [version], "next": None} if "from" in q else version)
    same(leat("query", "prices", *at, "--key", "a", "--as-of", "60001"), "0\ta\t1970-01-01T00:01:00.000Z\t-\t1.5\n", "a version")
    same(w.asked[-1][1]["as_of"], "60001", "as_of")
    same(rows("query", "prices", *at, "--key", "a", "--from-time", "0"), [version], "all versions")
    leat("query", "prices", *at, status=2, err="prices is a versioned store, which is read by --key")

    # Not rows; changes.
    w.answers["/v1/stores/counts/count"] = (200, {"approximate": 12})
    same((leat("query", "counts", *at, "--count"), rows("query", "counts", *at, "--count")), ("12\n", [{"approximate": 12}]), "--count")
    w.answers["/v1/stores/counts/owner/a"] = (200, {"partition": 1, "owner": "h:1", "standbys": ["h:2", "h:3"], "here": False})
    check(re.search(r"^a +1  h:1 +h:2,h:3 +no$", leat("query", "counts", *at, "--key", "a", "--owner"), re.M), "--owner")
    ended = threading.Event()
    change = "event: change\ndata: " + json.dumps(row("a", 1)) + "\n\n"
    w.answers["/v1/stores/counts/changes"] = events(": hello\n\n", change, change[:20], change[20:], then=lambda: ended.wait(LIMIT_S))
    same([r["key"] for r in rows("query", "counts", *at, "--watch", "--limit", "2")], ["a", "a"], "--watch --limit")
    watcher = subprocess.Popen([LEAT, "query", "counts", *at, "--watch", "--json", "--quiet"], env=ENV, stdout=subprocess.PIPE, text=True)
    same([json.loads(watcher.stdout.readline())["value"] for _ in range(2)], [1, 1], "changes as they come")
    watcher.send_signal(signal.SIGINT)
    same(watcher.wait(LIMIT_S), 0, "--watch and Ctrl-C")
    ended.set()
    w.answers["/v1/stores/counts/changes"] = events(change, "event: end\ndata: " + json.dumps(error("state_invalid", "the worker stops")) + "\n\n")
    leat("query", "counts", *at, "--watch", status=4, err="the worker stops")
    w.answers["/v1/stores/counts/changes"] = events(change)
    leat("query", "counts", *at, "--watch", status=4, err="ended the feed")


def wrong(w):
    """Whatever is no good answer is told, with the status for it, in the time that --timeout gives."""
    at = ["--worker", w.at]
    w.answers = {"/v1/stores": (200, STORES)}
    leat("query", "count", *at, status=3, err="did you mean counts?")
    leat("query", "counts", *at, "--key", "a", status=3, err="there is no /v1/stores/counts/keys/a")
    for http_status, code, status in ((400, "argument", 2), (409, "type", 1), (429, "busy", 4), (503, "restoring", 4), (504, "bound", 4)):
        w.answers["/v1/stores/counts/keys/a"] = (http_status, error(code, f"told {code}"))
        leat("query", "counts", *at, "--key", "a", status=status, err=f"leat: a: told {code}\n")
    w.answers["/v1/stores/counts/keys/a"] = (421, error("moved", "partition 1 is not here", owner="h:2"))
    leat("query", "counts", *at, "--key", "a", status=1, err="partition 1 is not here; it is at h:2")
    for http_status, body in ((500, "oh"), (200, "<html>"), (200, ""), (200, b"\xff\xfe"), (200, "[" * 100000)):
        w.answers["/v1/stores/counts/keys/a"] = (http_status, body)
        leat("query", "counts", *at, "--key", "a", status=1, err="is that a worker's leat.http.listen?")
    for body in ([], 5, None, {"rows": 7}, {"rows": [5, None, {"key": {}}]}, {"error": 5}):
        w.answers["/v1/stores/counts/keys"] = (200, body)
        leat("query", "counts", *at)
        leat("query", "counts", *at, "--json")
        w.answers["/v1/tasks"] = w.answers["/v1/workers"] = w.answers["/v1/topology"] = (200, body)
        leat("describe", w.at, "--tasks", "--workers")
        leat("top", w.at, "--once", "--interval", "100ms")
    stop = threading.Event()

    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"[")
        handler.close_connection = True

    def silent(handler):
        stop.wait(LIMIT_S)
        handler.close_connection = True
    w.answers["/v1/stores"] = (200, half)
    leat("query", "counts", *at, status=4, err=w.at)
    w.answers["/v1/stores"] = (200, silent)
    leat("query", "counts", *at, "--timeout", "300ms", status=4, err="no answer in 300 ms")
    stop.set()

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        for words in (["describe", nobody], ["query", "counts", "--worker", nobody], ["top", nobody], ["top", nobody, "--once", "--json"]):
            leat(*words, status=4, err="does a worker with leat.http.listen run there?")
    leat("describe", "no-such-host.invalid:1", status=4)
    leat("describe", "ftp://h:1", status=2, err="HOST:PORT or a URL of http or https")
    leat("describe", status=2, err="--worker HOST:PORT")
    leat("query", *at, status=2, err="needs --store")
    leat("query", "counts", *at, "--owner", status=2, err="--owner needs --key")
    leat("query", "counts", *at, "--key", "a", "--prefix", "b", status=2, err="do not go together")
    leat("query", "counts", *at, "--limit", "0", status=2, err="--limit takes")
    leat("query", "counts", *at, "--from-time", "soon", status=2, err="not 'soon'")
    leat("describe", w.at, "--format", "dot", "--tasks", status=2, err="of the topology alone")
    leat("top", w.at, "--interval", "1ms", status=2, err="100ms to 1h")


def secret(_):
    w = Worker(token="hush-hush")
    w.answers = {"/v1/stores": (200, STORES)}
    words = ["describe", w.at, "--stores"]
    leat(*words, status=5, err="refused the token")
    leat(*words, status=5, err="refused the token", env={"LEAT_HTTP_TOKEN": "wrong-one"})
    check("wrong-one" not in leat.stderr, "a token was shown")
    leat(*words, "--verbose", env={"LEAT_HTTP_TOKEN": "hush-hush"})
    check("hush" not in leat.stderr, f"a token was shown: {leat.stderr}")
    with tempfile.NamedTemporaryFile("w") as file:
        leat(*words, "--token-file", file.name, status=2, err="is empty")
        file.write("hush-hush\n")
        file.flush()
        leat(*words, "--token-file", file.name, env={"LEAT_HTTP_TOKEN": "wrong-one"})
        file.seek(0)
        file.truncate()
        file.write(f"leat.http.listen={w.at}\nleat.http.token=${{env:MY_TOKEN}}\n")
        file.flush()
        for more in (["--config", file.name], []):
            leat("describe", "--stores", *more, env={"MY_TOKEN": "hush-hush", "LEAT_CONFIG": "" if more else file.name})
    leat(*words, "--token-file", "/no/such/file", status=2, err="cannot be read")
    w.close()


def topped(w):
    def tasks(_):
        w.processed += 100
        return 200, {"state": "RUNNING", "tasks": [{**TASKS[0], "processed": w.processed}, TASKS[1]]}
    other = Worker()
    other.answers = {"/v1/tasks": (200, {"state": "REBALANCING", "tasks": [{**TASKS[0], "task": "0_2", "lag": 90}]})}
    far = {"process": "p-2", "host": other.at, "threads": 1, "leads": False, "state": "running", "tasks": ["0_2"], "standbys": ["0_0"]}
    shy = {"process": "p-3", "host": "", "threads": 1, "leads": False, "state": "running", "tasks": ["0_3"], "standbys": []}
    w.answers = {"/v1/topology": (200, {"application_id": "app"}), "/v1/tasks": tasks,
                 "/v1/workers": (200, {**WORKERS, "workers": [*WORKERS["workers"], far, shy]})}

    def look():
        [all_] = rows("top", w.at, "--once", "--interval", "200ms")
        return ([(t["task"], t["worker"], t.get("lag"), t.get("processed_per_second", 0) > 0) for t in all_["tasks"]],
                [(x["worker"], x["state"]) for x in all_["workers"]])
    until(look, ([("0_0", "p-1", 7, True), ("0_1", "p-1", None, False), ("0_2", other.at, 90, False), ("0_3", "p-3", None, False)],
                 [("p-1", "RUNNING"), (other.at, "REBALANCING"), ("p-3", "no address")]), "--once --json")
    limit = time.monotonic() + LIMIT_S
    while "no answer" in (shown := leat("top", w.at, "--once", "--interval", "200ms")):
        check(time.monotonic() < limit, shown)
    check(re.match(r"app  3 workers  4 tasks  \d+ records/s  lag 97  20\d\d-", shown), shown)
    order = re.findall(r"^(0_\d) ", shown, re.M)
    same(order, ["0_1", "0_2", "0_0", "0_3"], "restoring first, then by lag")
    check(re.search(r"^0_1 +p-1 +1  active  restoring +0 +-  \[#######\.\.\.\]  75 % 5 s$", shown, re.M), shown)
    check("\x1b" not in shown, "escapes in a pipe")
    other.close()
    check(re.search(rf"^{re.escape(other.at)} +no answer ", leat("top", w.at, "--once", "--interval", "200ms"), re.M), "a dead worker")

    # A pipe gets a block for each look, until Ctrl-C.
    run = subprocess.Popen([LEAT, "top", w.at, "--interval", "100ms"], env=ENV, stdout=subprocess.PIPE, text=True)
    blocks = 0
    while blocks < 2:
        blocks += run.stdout.readline().startswith("app  3 workers")
    run.send_signal(signal.SIGINT)
    run.stdout.read()
    same(run.wait(LIMIT_S), 0, "top in a pipe and Ctrl-C")

    # A terminal: drawn in place on the other screen, cut to its size, and given back as it was.
    for last in (b"q", b"\x03"):
        t = Terminal("top", w.at, "--interval", "100ms")
        t.until(rb"\x1b\[\?1049h\x1b\[\?25l\x1b\[H\x1b\[K\x1b\[1mapp  3 workers  4 tasks", "the first look, its head bold")
        t.until(rb"\x1b\[H\x1b\[K.*\r\n\x1b\[K0_1 +p-1.*\x1b\[H", "a second look in the same place")
        t.resize(5, 20)
        t.until(rb"\x1b\[H\x1b\[K\x1b\[1m[^\r]{20}\x1b\[0m(\r\n\x1b\[K[^\r\x1b]{0,20}){4}\x1b\[H", "a look of 5 lines by 20")
        t.key(b"x")
        t.key(last)
        check(t.end().endswith(b"\x1b[?25h\x1b[?1049l"), "the screen afterwards")
    t = Terminal("top", w.at, "--interval", "100ms", env={"NO_COLOR": "1"})
    t.until(rb"\x1b\[H\x1b\[Kapp  3 workers", "a head without colour")
    w.answers["/v1/workers"] = (503, error("state", "the app is starting"))
    t.until(rb"\x1b\[H\x1b\[Kapp  0 workers.{0,200}the app is starting", "a worker that cannot answer")
    w.answers["/v1/workers"] = (200, WORKERS)
    t.until(rb"\x1b\[H\x1b\[Kapp  1 worker  2 tasks", "and goes on")
    t.run.send_signal(signal.SIGTERM)
    check(t.end().endswith(b"\x1b[?25h\x1b[?1049l"), "the screen after SIGTERM")
    t = Terminal("top", w.at, "--interval", "100ms", env={"TERM": "dumb"})
    t.until(rb"app  1 worker.*app  1 worker", "lines on a terminal that knows no screens")
    t.key(b"\x03")
    t.end()
    t = Terminal("query", "counts", "--worker", w.at, "--key", "a")
    w.answers = {"/v1/stores": (200, STORES), "/v1/stores/counts/keys/a": (200, row("a\x1b[2J", base64.b64encode(b"x").decode()))}
    check(b"\x1b[1mPARTITION  TIME " in t.end() and b"a\\x1b[2J" in t.seen, f"rows on a terminal: {t.seen}")


def main():
    failed = False
    for case in (described, queried, wrong, secret, topped):
        w = Worker()
        try:
            case(w)
        except (AssertionError, subprocess.TimeoutExpired) as e:
            failed = True
            print(f"FAILED {case.__name__}: {e}", file=sys.stderr)
        w.close()
    sys.exit(1 if failed else 0)


main()
