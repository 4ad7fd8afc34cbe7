#!/usr/bin/env python3
"""The program leat on a real Kafka: each verb's output, wrong input, and reset beside Kafka's own tool.

usage: kafka.py --leat LEAT --kafka KAFKA_SH [--worker LIVE_WORKER] [--port N] [--broker HOST:PORT] [CASE...]

Oracle.java does and sees what Kafka's Java classes do and see. --broker: one that runs already (not for the case `dead`).
"""
import argparse
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
checks = 0


class Failed(Exception):
    pass


def check(ok, text):
    global checks
    checks += 1
    if not ok:
        raise Failed(text)


def same(got, wanted, what):
    check(got == wanted, f"{what}:\n  got    {got!r}\n  wanted {wanted!r}")


class Oracle:
    def __init__(self, broker, jars, log):
        self.run = subprocess.Popen(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                                     "-cp", f"{jars}/*", f"{HERE}/Oracle.java", broker],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "w"), text=True)

    def __call__(self, *words, fails=False):
        self.run.stdin.write(" ".join(map(str, words)) + "\n")
        self.run.stdin.flush()
        lines = []
        for line in self.run.stdout:
            if line == ".\n":
                break
            lines.append(line.rstrip("\n"))
        else:
            raise Failed(f"the oracle ended at {words}")
        if not fails and any(line.startswith("ERROR ") for line in lines):
            raise Failed(f"the oracle failed at {words}: {lines}")
        return lines

    def offsets(self, group):
        return self("offsets", group)


class World:
    def __init__(self, args):
        self.leat_path, self.worker_path, self.kafka_sh, self.own = args.leat, args.worker, args.kafka, not args.broker
        self.dir = tempfile.mkdtemp(prefix="leat-cli-")
        self.broker = args.broker or f"127.0.0.1:{args.port}"
        self.sasl = f"127.0.0.1:{int(self.broker.split(':')[1]) + 2}"
        self.env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(args.port), KAFKA_HEAP="256m")
        self.properties = f"{self.dir}/client.properties"
        with open(self.properties, "w") as f:
            f.write(f"bootstrap.servers={self.broker}\n")
        self.leat_env = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "LEAT_CONFIG": self.properties}
        if self.own:
            self.kafka("format")
            self.kafka("start")
        self.oracle = Oracle(self.broker, os.environ.get("KAFKA_JARS") or os.path.join(
            os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "leat/kafka-4.3.1"), f"{self.dir}/oracle.log")

    def kafka(self, *words):
        subprocess.run([self.kafka_sh, *words], env=self.env, check=True)

    def close(self):
        self.oracle.run.stdin.close()
        self.oracle.run.wait(20)
        if self.own:
            self.kafka("stop")
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, *words, status=0, text="", err=None):
        """What leat prints; its exit status must be the one given, and standard error hold err."""
        done = subprocess.run([self.leat_path, *map(str, words)], input=text, capture_output=True, text=True, timeout=60,
                              env=self.leat_env)
        told = f"leat {' '.join(map(str, words))}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        check(done.returncode == status, f"{told}\nwanted status {status}")
        check(err is None or err in done.stderr, f"{told}\nwanted {err!r} on standard error")
        self.stderr = done.stderr
        return done.stdout

    def json(self, *words, **more):
        return [json.loads(line) for line in self.run(*words, "--json", **more).splitlines()]

    def on_terminal(self, *words, status=0, into=None):
        """What a person sees: all three streams are a terminal, or results go into a file."""
        ours, theirs = pty.openpty()
        run = subprocess.Popen([self.leat_path, *words], stdin=theirs, stdout=into or theirs, stderr=theirs,
                               env={**self.leat_env, "TERM": "xterm"})
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # Linux: the other end is closed
            pass
        os.close(ours)
        code = run.wait(30)
        check(code == status, f"leat {words} on a terminal: status {code}\n{shown[-1000:]}")
        return shown


# ---- cases ----

def topics(w):
    same(w.run("topics", "create", "t-a", "--partitions", "3", "--replication-factor", "1", "--config", "cleanup.policy=compact",
               "--config", "retention.ms=86400000"), "created topic t-a\n", "create")
    same(w.oracle("config", "t-a", "cleanup.policy"), ["compact"], "the setting of a created topic")
    same(w.oracle("config", "t-a", "retention.ms"), ["86400000"], "the setting of a created topic")
    w.run("topics", "create", "t-a", status=1, err="already exists")
    same(w.json("topics", "create", "t-a", "--if-not-exists"), [[{"name": "t-a", "created": False}]], "create again")
    w.run("topics", "create", "t/b", status=1)
    w.run("topics", "create", "t-b", "--replication-factor", "3", status=1, err="t-b")
    w.run("topics", "create", "t-b", "--config", "no.such.setting=1", status=1, err="no.such.setting")
    w.run("topics", "create", "--topic", "t-b,t-c", "--partitions", "1", "--config", w.properties)
    same(w.run("topics", "list").split(), w.oracle("topics"), "list")
    same(w.run("topics", "--list", "--exclude-internal").split(), [t for t in w.oracle("topics") if t[:2] != "__"], "--list")
    w.run("topics", "list", "t-a", "nix", status=3, err="no topic nix")
    w.run("produce", "t-a", "--key-separator", ":", text="a:1\nb:2\nc:3\n")
    [[t]] = w.json("topics", "describe", "t-a")
    same((t["partition_count"], t["replication_factor"], t["config"]),
         (3, 1, {"cleanup.policy": "compact", "retention.ms": "86400000"}), "describe")
    same(sum(p["end"] for p in t["partitions"]), 3, "ends")
    same([p["partition"] for p in t["partitions"]], [0, 1, 2], "partitions")
    shown = w.run("topics", "describe", "t-a")
    check("Topic: t-a  PartitionCount: 3  ReplicationFactor: 1" in shown and "cleanup.policy=compact" in shown, shown)
    check("segment.bytes=" in w.run("topics", "describe", "t-a", "--all-configs"), "--all-configs")
    w.run("topics", "describe", "nix", status=3, err="no topic nix")
    w.run("topics", "delete", "t-b", "nix", status=3, err="nothing is deleted")
    check("t-b" in w.oracle("topics"), "t-b was deleted, though another name was wrong")
    w.run("topics", "delete", "t-b", "nix", "--if-exists")
    w.run("topics", "delete", "t-c")
    check(not {"t-b", "t-c"} & set(w.oracle("topics")), "deleted topics are still there")


def records(w):
    w.run("topics", "create", "--topic", "r,r-copy", "--partitions", "4")
    w.run("produce", "r", "--key-separator", ":", "--null-marker", "NULL", "--timestamp", "1700000000000",
          text="".join(f"k{i}:v{i}\n" for i in range(50)) + "gone:NULL\nempty:\r\nlast:no line end")
    got = w.json("consume", "r", "--from-beginning", "--to-end")
    same({r["key"]: r["value"] for r in got},
         {**{f"k{i}": f"v{i}" for i in range(50)}, "gone": None, "empty": "", "last": "no line end"}, "keys and values")
    same({r["timestamp"] for r in got}, {1700000000000}, "timestamps")
    for r in got[::8]:
        same([str(r["partition"])], w.oracle("partition", r["key"], 4), f"the partition of {r['key']}")
    same(w.run("consume", "r", "--from-beginning", "--to-end", "--partition", got[0]["partition"], "--max-messages", "1"),
         f"2023-11-14T22:13:20.000Z\t{got[0]['partition']}\t0\t{got[0]['key']}\t{got[0]['value']}\n", "columns in a pipe")

    # One record at a time, of all formats; headers; positions.
    w.run("produce", "r", "--key", "5", "--key-format", "i64", "--value", "-1.5", "--value-format", "double", "--partition", "2",
          "--header", "who=me", "--header", "why=a=b")
    end = ["consume", "r", "--partition", "2", "--offset", "-1", "--to-end"]
    [r] = w.json(*end, "--key-format", "int64", "--value-format", "double")
    same((r["key"], r["value"], r["headers"]), (5, -1.5, [["who", "me"], ["why", "a=b"]]), "numbers and headers")
    [r] = w.json(*end)
    same((r["key_base64"], r["value_base64"]), ("AAAAAAAAAAU=", "v/gAAAAAAAA="), "bytes that are no text")
    same(w.run(*end, "--columns", "key,value,headers"), "0x0000000000000005\t0xbff8000000000000\twho=me,why=a=b\n", "auto")
    w.run("produce", "r", "--key", "[alice@1000/6000]", "--key-format", "windowed:string:5s", "--partition", "2", "--tombstone")
    [r] = w.json(*end, "--key-format", "windowed:string:5s")
    same((r["key"], r["value"]), ({"key": "alice", "start": 1000, "end": 6000}, None), "a windowed key")
    w.run("produce", "r", "--parse-headers", "--key-separator", ";", "--partition", "3", text="a:1,b:2\tk;v\n\tk;\x1b[2J\n")
    at = ["consume", "r", "--partition", "3", "--to-end", "--columns", "key,value,headers"]
    same(w.run(*at, "--offset", "-2"), "k\tv\ta=1,b=2\nk\t\\x1b[2J\t\n", "headers in lines; control bytes")
    same(w.run(*at, "--offset", "-1", "--raw"), "k\t\x1b[2J\t\n", "--raw")
    total = len(w.json("consume", "r", "--from-beginning", "--to-end"))
    same(total, 53 + 4, "all records")
    same(w.json("consume", "r", "--to-end"), [], "from the end to the end")
    same(len(w.json("consume", "r", "--from-time", "2023-11-14T22:13:20.001Z", "--to-end")), 4, "--from-time")
    same(len(w.json("consume", "r", "--from-beginning", "--timeout-ms", "500")), total, "--timeout-ms")

    # A format that does not fit: shown, counted, status 1.
    got = w.json("consume", "r", "--from-beginning", "--to-end", "--value-format", "double", status=1, err="double takes 8 bytes")
    same((len(got), [r["value"] for r in got if "value" in r and r["value"] is not None]), (total, [-1.5]), "unfit values")

    # A copy by JSON lines has the same bytes, headers and times.
    lines = w.run("consume", "r", "--from-beginning", "--to-end", "--json")
    w.run("produce", "r-copy", "--from-json", text=lines)
    def bare(text):
        return sorted(json.dumps({k: v for k, v in json.loads(line).items() if k not in ("topic", "partition", "offset")})
                      for line in text.splitlines())
    same(bare(w.run("consume", "r-copy", "--from-beginning", "--to-end", "--json")), bare(lines), "a copy")

    # Two topics; committed records only; a partition that is not there.
    check(w.run("consume", "r", "r-copy", "--offset", "-1", "--max-messages", "3").count("\t") == 3 * 5, "topic column")
    w.run("topics", "create", "tx", "--partitions", "1")
    w.oracle("transactions", "tx")
    same([r["key"] for r in w.json("consume", "tx", "--from-beginning", "--to-end")], ["c"], "committed records")
    same([r["key"] for r in w.json("consume", "tx", "--from-beginning", "--to-end", "--isolation-level", "read_uncommitted")],
         ["c", "a"], "uncommitted records")
    w.run("consume", "tx", "--partition", "0,9", status=3)
    w.run("consume", "tx", "--offset", "99", status=3, err="from 0 up to")
    w.run("consume", "nix", status=3, err="no topic nix")


def bad_input(w):
    w.run("topics", "create", "b", "--partitions", "1", "--config", "cleanup.policy=compact", "--config", "max.message.bytes=2000")
    w.run("produce", "nix", "--value", "v", status=3, err="no topic nix")
    w.run("produce", "b", "--value", "v", "--key", "k", "--partition", "1", status=3, err="no partition 1")
    same(w.json("produce", "b", text="no key\n", status=1, err="line 1: could not deliver"),
         [{"topic": "b", "delivered": 0, "failed": 1}], "a compacted topic and no key")
    check("without a key" in w.stderr, w.stderr)
    w.run("produce", "b", "--key-separator", ":", text="a:1\nc:3\n")
    w.run("produce", "b", "--key-separator", ":", text="b:" + "x" * 5000 + "\n", status=1, err="line 1: could not deliver")
    check("0 records delivered to b, 1 failed" in w.stderr, w.stderr)
    w.run("produce", "b", "--key-separator", ":", text="d:4\nbroken\ne:5\n", status=1, err="line 2 is no record")
    w.run("produce", "b", "--key-separator", ":", "--skip-bad", text="d:4\nbroken\ne:5\n", status=1, err="2 records delivered to b, 1 failed")
    w.run("produce", "b", "--from-json", text='{"key":"f","value":6}\n\n{"key":}\n', status=1, err="line 3 is no record")
    w.run("produce", "b", "--file", f"{w.dir}/nix", status=2, err="cannot read")
    w.run("produce", "b", "--key", "k", "--value", "x", "--value-format", "int32", status=2, err="32 bits")
    same([r["key"] for r in w.json("consume", "b", "--from-beginning", "--to-end")], list("acddef"), "what was delivered")
    sasl = ["--bootstrap-server", w.sasl, "--set", "security.protocol=SASL_PLAINTEXT", "--set", "sasl.mechanism=PLAIN",
            "--set", "sasl.username=leat"]
    for verb in (["topics", "list"], ["groups", "list"], ["produce", "b", "--value", "v"], ["consume", "b"], ["reset", "a"]):
        w.run(*verb, *sasl, "--set", "sasl.password=wrong", status=5, err="refused this client")
        check("wrong" not in w.stderr, "a password was shown")
    check("b" in w.run("topics", "list", *sasl, "--set", "sasl.password=leat-secret").split(), "SASL")


def signals(w):
    w.run("topics", "create", "s", "--partitions", "2")
    w.run("produce", "s", text="one\ntwo\n")
    for number in (signal.SIGINT, signal.SIGTERM):
        run = subprocess.Popen([w.leat_path, "consume", "s", "--from-beginning", "--group", "s-group", "--columns", "value"],
                               env=w.leat_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if number == signal.SIGINT:
            same({run.stdout.readline(), run.stdout.readline()}, {"one\n", "two\n"}, "records of a group")
        else:
            time.sleep(1)  # nothing new for the group: it waits
        run.send_signal(number)
        _, err = run.communicate(timeout=10)
        same(run.returncode, 0, f"the status after signal {number}: {err}")
    same(sum(int(line.split()[2]) for line in w.oracle.offsets("s-group")), 2, "what the group committed")

    run = subprocess.Popen([w.leat_path, "produce", "s"], env=w.leat_env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run.stdin.write("three\n")
    run.stdin.flush()
    time.sleep(1)
    run.send_signal(signal.SIGINT)
    same(run.wait(10), 0, "produce after Ctrl-C")
    check("1 record delivered" in run.stderr.read(), "the record before Ctrl-C")

    w.run("produce", "s", text="x\n" * 200000)
    done = subprocess.run(["bash", "-c", '"$0" consume s --from-beginning --quiet | head -3 | wc -l', w.leat_path], env=w.leat_env,
                          capture_output=True, text=True, timeout=30)
    same((done.stdout.strip(), done.stderr), ("3", ""), "consume into head")


def terminal(w):
    w.run("topics", "create", "term", "--partitions", "1")
    file = f"{w.dir}/lines"
    with open(file, "w") as f:
        f.writelines(f"line {i} {'x' * 100}\n" for i in range(400000))
    shown = w.on_terminal("produce", "term", "--file", file)
    check(re.search(rb"\r\[#+\.*\] +\d+ %  \d+ of \d+ bytes read", shown), f"no progress bar: {shown[:200]}")
    with open(file, "w") as into:
        shown = w.on_terminal("consume", "term", "--from-beginning", "--to-end", into=into)
    check(re.search(rb"\r\[#+\.*\] +\d+ %  \d+ of 400000 records, \d+/s.*\r\[#{24}\] 100 %  400000 of 400000 records", shown, re.S),
          f"no progress bar: {shown[:300]} ... {shown[-300:]}")
    shown = w.on_terminal("consume", "term", "--offset", "-1", "--to-end")
    check(b"\x1b[1mTIME" in shown and b"line 399999" in shown, f"no head in colour: {shown[:300]}")
    check(b"\x1b[" not in w.on_terminal("topics", "describe", "term", "--color", "never"), "--color never")
    check("\x1b[" in w.run("topics", "describe", "term", "--color", "always"), "--color always")
    check("\x1b[" not in w.run("topics", "describe", "term"), "colour in a pipe")
    check(b"\x1b[31mleat: " in w.on_terminal("topics", "describe", "nix", status=3), "an error in red")


def groups(w):
    w.run("topics", "create", "g", "--partitions", "2")
    w.run("produce", "g", "--partition", "0", text="x\n" * 10)
    w.run("produce", "g", "--partition", "1", text="x\n" * 7)
    w.oracle("commit", "g-1", "g", 0, 4)
    w.oracle("commit", "g-1", "g", 1, 7)
    [[g]] = w.json("groups", "describe", "g-1")
    same((g["state"], g["lag"], [(o["partition"], o["committed"], o["end"], o["lag"]) for o in g["offsets"]]),
         ("Empty", 6, [(0, 4, 10, 6), (1, 7, 7, 0)]), "lag")
    shown = w.run("groups", "describe", "--group", "g-1")
    check("State: Empty  Members: 0  Lag: 6 (1 of 2 partitions behind)" in shown, shown)
    check(re.search(r"^g +0 +4 +10 +6 ", shown, re.M), shown)
    w.oracle("trim", "g", 0, 6)
    check("2 records behind its commits are gone" in w.run("groups", "describe", "g-1", "--summary"), "lost records")
    check("g-1" in w.run("groups", "list").split(), "groups list")
    check(re.search(r"^g-1 +Empty$", w.run("groups", "--list", "--state"), re.M), "groups list --state")
    w.run("groups", "describe", "nix", status=3, err="no group nix")
    both = w.json("groups", "describe", "nix", "g-1", status=3)
    same([g["group"] for [g] in [both[0]]], ["g-1"], "a wrong name does not hide the others")
    w.oracle("join", "g-2", "g", "classic")
    [[g]] = w.json("groups", "describe", "g-2")
    same((g["state"], g["member_count"], g["members"][0]["instance"], sorted(g["members"][0]["assignment"])),
         ("Stable", 1, "oracle-1", ["g-0", "g-1"]), "members")
    same([(o["partition"], o["committed"], o["lag"]) for o in g["offsets"]], [(0, None, None), (1, None, None)], "no commits yet")
    check("oracle-1" in w.run("groups", "describe", "g-2", "--members"), "--members")
    names = re.findall(r"Group: (\S+)", w.run("groups", "describe", "--all-groups", "--summary"))
    check({"g-1", "g-2"} <= set(names), f"--all-groups: {names}")
    w.oracle("leave")
    w.oracle("join", "g-3", "g", "consumer")
    [[g]] = w.json("groups", "describe", "g-3")
    same(g["state"], "Stable", "a group of the new protocol")
    check("its members cannot be shown" in w.stderr, w.stderr)
    w.run("reset", "g-3", "--input-topics", "g", status=1, err="has 1 active member")
    w.oracle("leave")
    w.run("reset", "g-3", "--input-topics", "g")
    same(w.oracle.offsets("g-3"), ["g 0 6", "g 1 0"], "reset of a group of the new protocol")


def reset(w):
    """The same commits and topics for two applications; one reset by Kafka's tool, one by leat; then the same must be there."""
    inputs = ["in-a", "in-b"]
    w.run("topics", "create", *inputs, "between", "--partitions", "2")
    for topic, partition, count in (("in-a", 0, 20), ("in-a", 1, 5), ("in-b", 0, 8), ("between", 0, 9), ("between", 1, 3)):
        for i in range(2):
            w.run("produce", topic, "--partition", partition, "--timestamp", 1700000000000 + i * 60000, text="x\n" * count)
    w.oracle("trim", "in-a", 0, 3)
    plan = f"{w.dir}/plan.csv"
    with open(plan, "w") as f:
        f.write("in-a,0,11\nin-a,1,0\nin-b,0,99\nin-b,1,0\n")
    both = ["--input-topics", "in-a,in-b"]
    cases = [both, [*both, "--to-earliest"], [*both, "--to-latest"], [*both, "--to-offset", "7"], [*both, "--to-offset", "1"],
             [*both, "--shift-by", "3"], [*both, "--shift-by", "-6"], [*both, "--shift-by", "1000"],
             [*both, "--to-datetime", "2023-11-14T22:14:20.000"], [*both, "--to-datetime", "2023-11-14T22:13:00.000Z"],
             [*both, "--to-datetime", "2030-01-01T00:00:00.000+01:00"], [*both, "--by-duration", "P1D"],
             [*both, "--by-duration", "P10000D"], [*both, "--from-file", plan],
             ["--input-topics", "in-a", "--intermediate-topics", "between"], ["--intermediate-topics", "between"],
             ["--input-topics", "in-a,nix"], []]
    commits = [("in-a", 0, 10), ("in-a", 1, 9), ("in-b", 0, 2), ("between", 0, 1), ("between", 1, 1)]
    inside = ["s-changelog", "by-word-repartition", "leat-control-changelog", "x-subscription-response-topic",
              "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000007-topic"]
    apps = [f"{who}{i}" for i in range(len(cases)) for who in ("java", "leat")]
    named = [f"{app}-{name}" for app in apps for name in [*inside, "out", "changelogs"] if app[4:] in ("0", "3")]
    w.run("topics", "create", *named, "--partitions", "1")
    for app in apps:
        for topic, partition, offset in commits:
            w.oracle("commit", app, topic, partition, offset)
    for i, words in enumerate(cases):
        before = w.oracle.offsets(f"leat{i}")
        dry = w.run("reset", f"leat{i}", *words, "--dry-run", status=3 if "nix" in " ".join(words) else 0)
        same(w.oracle.offsets(f"leat{i}"), before, "a dry run changes nothing")
        java = w.oracle("reset", "--application-id", f"java{i}", *words)
        status = int(next(line for line in java if line.startswith("status "))[7:])
        w.run("reset", "--application-id", f"leat{i}", *words, status=3 if status else 0)
        same(w.oracle.offsets(f"leat{i}"), w.oracle.offsets(f"java{i}"), f"offsets after reset {' '.join(words)}")
        check("Dry run" in dry, dry)
    left = set(w.oracle("topics"))
    for i in (0, 3):
        same({t[5:] for t in left if t.startswith(f"leat{i}-")}, {t[5:] for t in left if t.startswith(f"java{i}-")}, "topics left")
        same({t[6:] for t in left if t.startswith(f"leat{i}-")}, {"out", "changelogs"}, "topics left")

    # JSON, subsets, wrong names, members.
    w.run("topics", "create", "leat1-a-changelog", "leat1-b-changelog", "--partitions", "1")
    w.run("reset", "leat1", "--internal-topics", "in-a", status=2, err="no internal topic")
    [plan] = w.json("reset", "leat1", "--internal-topics", "leat1-a-changelog", "--input-topics", "in-b", "--to-offset", "5")
    same((plan["done"], plan["deleted"], plan["offsets"][0]),
         (True, ["leat1-a-changelog"], {"topic": "in-b", "partition": 0, "from": 0, "to": 5, "why": "offset"}), "JSON")
    check("leat1-b-changelog" in w.oracle("topics"), "a topic that was not named is gone")
    w.oracle("join", "leat2", "in-a", "classic")
    before = w.oracle.offsets("leat2")
    w.run("reset", "leat2", *both, status=1, err="has 1 active member")
    check("would refuse" in (w.run("reset", "leat2", *both, "--dry-run"), w.stderr)[1], "a dry run with members")
    java = w.oracle("reset", "--application-id", "leat2", *both)
    check("status 1" in java, "Kafka's tool refuses, too")
    same(w.oracle.offsets("leat2"), before, "a refused reset changes nothing")
    w.run("reset", "leat2", *both, "--force", "--wait", "1s", status=1, err="waiting for 1 member")
    w.oracle("leave")
    w.run("reset", "leat2", *both, "--force", err="waiting for 1 member")
    same(w.oracle.offsets("leat2"), w.oracle.offsets("java1")[:2] + ["in-a 0 3", "in-a 1 0", "in-b 0 0", "in-b 1 0"], "after --force")


class Running:
    """live_worker on the broker, with its HTTP server at a port that is free."""

    def __init__(self, w, name):
        self.log = open(f"{w.dir}/{name}.log", "w+")
        self.run = subprocess.Popen(
            [w.worker_path, "--bootstrap-servers", w.broker, "--state-dir", f"{w.dir}/{name}", "--set", "leat.http.listen=0",
             "--set", "leat.http.advertised=127.0.0.1:0", "--set", "commit.interval.ms=100", "--set", "session.timeout.ms=6000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)
        self.at = None

        def listens():
            self.log.seek(0)
            found = re.search(r" http: listening on port (\d+)", self.log.read())
            self.at = found and f"127.0.0.1:{found.group(1)}"
            return self.at
        until(listens, "a worker tells its port")

    def end(self, number):
        self.run.send_signal(number)
        self.run.wait(60)
        self.log.close()


def until(holds, what):
    limit = time.monotonic() + 120
    while not holds():
        check(time.monotonic() < limit, f"{what}: not so in 120 s")
        time.sleep(0.1)


def workers(w):
    """Two workers of one application, described, queried and watched while they run and when one is killed."""
    w.run("topics", "create", "in", "out", "--partitions", "2")
    w.run("produce", "in", "--key-separator", ":", text="".join(f"k{i}:{1000 + i}\n" for i in range(100)))
    a = Running(w, "worker-a")
    b = Running(w, "worker-b")
    try:
        def ask(*words):  # a question may fail while tasks move, and a worker be slow to answer
            done = subprocess.run([w.leat_path, *words, "--json"], capture_output=True, text=True, timeout=60, env=w.leat_env)
            return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []

        def tasks(at):
            return [t["task"] for all_ in ask("describe", at, "--tasks") for t in all_["tasks"] if t["state"] == "running"]

        def described():
            [all_] = w.json("describe", a.at)
            return all_["state"], sorted(x["host"] for x in all_["workers"]), sum(x["leads"] for x in all_["workers"])

        def counts(at):
            return {r["key"]: r["value"] for r in ask("query", "counts", "--worker", at)}

        def top():
            look = (ask("top", a.at, "--once", "--interval", "200ms") or [{"workers": [], "tasks": []}])[0]
            return {x["worker"]: x["state"] for x in look["workers"]}, [t.get("lag") for t in look["tasks"]]
        until(lambda: len(tasks(a.at)) == len(tasks(b.at)) == 1, "a task each")
        until(lambda: described() == ("RUNNING", sorted([a.at, b.at]), 1), "describe")
        same(w.run("describe", a.at, "--format", "text"), w.run("describe", b.at, "--topology"), "the same topology everywhere")
        wanted = {f"k{i}": 1 for i in range(100)}
        until(lambda: counts(a.at) == counts(b.at) == wanted, "all keys at each worker")
        until(lambda: top() == ({a.at: "RUNNING", b.at: "RUNNING"}, [0, 0]), "top, with nothing left to do")
        b.end(signal.SIGKILL)
        until(lambda: top()[0].get(b.at) == "no answer" or len(tasks(a.at)) == 2, "top shows a dead worker, or that its tasks have moved")
        until(lambda: len(tasks(a.at)) == 2, "the tasks move")
        until(lambda: counts(a.at) == wanted, "all keys at the worker that is left")
    finally:
        for worker in (a, b):
            if worker.run.poll() is None:
                worker.end(signal.SIGTERM)


def dead(w):
    """The broker dies under a producer and a consumer."""
    w.run("topics", "create", "d", "--partitions", "1")
    producer = subprocess.Popen([w.leat_path, "produce", "d", "--timeout", "3s"],
                                env=w.leat_env, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    producer.stdin.write("before\n")
    producer.stdin.flush()
    time.sleep(1)
    w.kafka("kill")
    time.sleep(0.5)
    for verb in (["topics", "list"], ["groups", "list"], ["consume", "d"], ["produce", "d", "--value", "x"]):
        w.run(*verb, "--timeout", "3s", status=4, err="is Kafka running there?")
    began = time.monotonic()
    _, err = producer.communicate("after\n", timeout=60)
    same(producer.returncode, 4, f"a record that nobody took: {err}")
    check("line 2: could not deliver" in err and "1 record delivered to d, 1 failed" in err, err)
    check(time.monotonic() - began < 20, "a producer waits for a dead broker")


CASES = [topics, records, bad_input, signals, terminal, groups, reset, workers, dead]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--leat", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--port", type=int, default=19360)
    parser.add_argument("--broker")
    parser.add_argument("--worker", help="live_worker; without it the case `workers` is left out")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    args.leat = os.path.abspath(args.leat)
    if not args.broker:
        have = shutil.which("java") and subprocess.run([args.kafka, "fetch"], capture_output=True).returncode == 0
        if not have:
            print("cli/kafka: NO KAFKA CAN BE STARTED HERE: this test did NOT run", file=sys.stderr)
            sys.exit(1 if os.environ.get("CI") == "true" else 77)
    w = World(args)
    failed = []
    try:
        for case in CASES:
            if args.cases and case.__name__ not in args.cases or args.broker and case is dead or not args.worker and case is workers:
                continue
            began, before = time.monotonic(), checks
            try:
                case(w)
                print(f"ok {case.__name__}: {checks - before} checks, {time.monotonic() - began:.1f} s", flush=True)
            except (Failed, subprocess.TimeoutExpired, KeyError, ValueError, IndexError) as e:
                failed.append(case.__name__)
                print(f"FAILED {case.__name__}: {type(e).__name__} {e}", file=sys.stderr, flush=True)
    finally:
        w.close()
    sys.exit(1 if failed else 0)


main()
