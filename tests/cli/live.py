#!/usr/bin/env python3
"""describe, query and top beside a real worker on the embedded log, which goes on working meanwhile. usage: live.py LEAT WORKER"""
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

LIMIT_S = 60
LEAT, WORKER = sys.argv[1:]
TOKEN = "hush-hush"
ENV = {**{k: v for k, v in os.environ.items() if k not in ("LEAT_CONFIG", "NO_COLOR")}, "LEAT_HTTP_TOKEN": TOKEN}


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}:\n  got    {got!r}\n  wanted {wanted!r}")


class Worker:
    def __init__(self, folder):
        self.run = subprocess.Popen(
            [WORKER, "--embedded", "--state-dir", folder, "--set", "leat.http.listen=0", "--set", "leat.http.token=${env:LEAT_HTTP_TOKEN}",
             "--set", "commit.interval.ms=50"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENV)
        for line in self.run.stderr:
            if found := re.search(r" http: listening on port (\d+)", line):
                self.at = f"127.0.0.1:{found.group(1)}"
                break
        else:
            raise AssertionError("the worker says no address")
        threading.Thread(target=self.run.stderr.read, daemon=True).start()

    def write(self, *records):
        self.run.stdin.writelines(f"{key}\t{time_ms}\n" for key, time_ms in records)
        self.run.stdin.flush()

    def ask(self, *words):
        where = [] if words[0] in ("describe", "top") else ["--worker"]
        return subprocess.run([LEAT, words[0], *where, self.at, *words[1:]], capture_output=True, text=True, timeout=LIMIT_S, env=ENV)

    def leat(self, *words, status=0):
        done = self.ask(*words)
        if done.returncode != status:
            raise AssertionError(f"leat {words}: status {done.returncode}, wanted {status}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def rows(self, *words, **more):
        return [json.loads(line) for line in self.leat(*words, "--json", **more).splitlines()]

    def until(self, wanted, *words):
        """Asks until the answer is there: the worker starts, reads and commits in its own time."""
        limit = time.monotonic() + LIMIT_S
        while (done := self.ask(*words)).stdout != wanted:
            if time.monotonic() > limit:
                raise AssertionError(f"leat {words}: {done}\nwanted {wanted!r}")
            time.sleep(0.05)


def main():
    with tempfile.TemporaryDirectory() as folder:
        w = Worker(folder)
        w.write(("a", 1000), ("a", 1500), ("b/ü", 61000), ("a", 61000), ("c", 61000), ("c", 61500))
        at = "1970-01-01T00:00:01.500Z"
        w.until("0\t1970-01-01T00:01:01.500Z\tc\t2\n", "query", "counts", "--key", "c")
        same([(r["key"], r["value"]) for r in w.rows("query", "counts")], [("a", 3), ("b/ü", 1), ("c", 2)], "all rows")
        same([r["key"] for r in w.rows("query", "counts", "--from", "b", "--to", "c", "--order", "desc")], ["c", "b/ü"], "a range")
        same([r["key"] for r in w.rows("query", "counts", "--prefix", "b")], ["b/ü"], "a prefix")
        same([r["key"] for r in w.rows("query", "counts", "--key", "b/ü", "--key", "a", "--latest")], ["b/ü", "a"], "several keys")
        first = w.rows("query", "counts", "--limit", "2")
        same([r["key"] for r in first], ["a", "b/ü"], "--limit")
        w.leat("query", "counts", "--key", "nobody", status=3)
        w.leat("query", "nix", status=3)
        w.leat("query", "counts", "--key", "a", "--at-least", "in-0@999999", "--timeout", "500ms", status=4)
        same(w.leat("query", "counts", "--count"), "3\n", "--count")
        [[owner]] = w.rows("query", "counts", "--key", "a", "--owner")
        same((owner["partition"], owner["here"]), (0, True), "--owner")
        same(w.leat("query", "per-minute", "--key", "a"),
             "0\ta\t1970-01-01T00:00:00.000Z\t1970-01-01T00:01:00.000Z\t2\n0\ta\t1970-01-01T00:01:00.000Z\t1970-01-01T00:02:00.000Z\t1\n",
             "windows")
        same(len(w.rows("query", "per-minute", "--from-time", "60000")), 3, "windows of a time")
        same([(r["window"], r["value"]) for r in w.rows("query", "visits", "--key", "a")],
             [({"start": 1000, "end": 1500}, 2), ({"start": 61000, "end": 61000}, 1)], "sessions")
        same([r["value"] for r in w.rows("query", "values", "--key", "a", "--as-of", "1200")], ["1000"], "a version")
        same(sorted(r["value"] for r in w.rows("query", "values", "--key", "a", "--from-time", "0")), ["1000", "1500", "61000"], "versions")

        # Changes and rates, while it works.
        feed = subprocess.Popen([LEAT, "query", "counts", "--worker", w.at, "--watch", "--json", "--limit", "1"], env=ENV,
                                stdout=subprocess.PIPE, text=True)
        more = threading.Event()

        def work():
            i = 0
            while not more.wait(0.01):
                i += 1
                w.write(("d", 62000 + i))
        worker = threading.Thread(target=work)
        worker.start()
        same(json.loads(feed.stdout.readline())["key"], "d", "a change")
        same(feed.wait(LIMIT_S), 0, "--watch --limit")
        limit = time.monotonic() + LIMIT_S
        while sum(t.get("processed_per_second", 0) for t in w.rows("top", "--once", "--interval", "1500ms")[0]["tasks"]) <= 0:
            if time.monotonic() > limit:
                raise AssertionError("top shows no rate")
        more.set()
        worker.join()
        [all_] = w.rows("describe")
        same((all_["state"], all_["topology"]["application_id"], len(all_["workers"]), {s["name"]: s["kind"] for s in all_["stores"]}),
             ("RUNNING", "live", 1, {"counts": "key-value", "per-minute": "window", "visits": "session", "values": "versioned"}), "describe")
        if not w.leat("describe", "--topology").startswith("Topologies:"):
            raise AssertionError("describe --topology")
        w.run.stdin.close()
        same(w.run.wait(LIMIT_S), 0, "the worker's end")


main()
