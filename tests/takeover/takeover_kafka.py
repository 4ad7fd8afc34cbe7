#!/usr/bin/env python3
"""Kafka Streams counts and is stopped, leat goes on under the same names, and Kafka Streams again after it: every count is right.

usage: takeover_kafka.py --bin DIR --kafka KAFKA_SH [--port N] [--keys N]     (10 000 keys; with LEAT_LONG=1 a million)

Both count by key and by key and hour, behind a repartition topic, under exactly once. The Java program is Takeover.java, compiled
here. It goes back to its own local state, which then lacks what leat counted: it must take that from the changelogs.
"""
import argparse, os, re, shutil, signal, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
HOUR_MS = 3_600_000


class Failed(Exception):
    pass


class World:
    def __init__(self, args, jars):
        self.args, self.jars, self.brokers = args, jars, f"127.0.0.1:{args.port}"
        self.dir = tempfile.mkdtemp(prefix="leat-takeover-")
        self.env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(args.port))
        self.base_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS - 4 * HOUR_MS
        self.path = f"{self.dir}:{jars}/*"

    def kafka(self, verb):
        subprocess.run([self.args.kafka, verb], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def records(self, verb, *words):
        out = subprocess.run([f"{self.args.bin}/../tests/takeover-records", verb, self.brokers, *map(str, words)],
                             capture_output=True, text=True)
        if out.returncode != 0:
            raise Failed(f"takeover-records {verb}: {out.stdout}{out.stderr}")
        return out.stdout.strip()

    def java(self, *words, **more):
        return ["java", "-Xmx700m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", self.path, "Takeover", self.brokers,
                f"{self.dir}/java", *words]

    def leat(self, *words):
        # dynamic: it leaves the group when it stops, so that Java members may form one of their own at once
        return [f"{self.args.bin}/../tests/takeover-leat", "--bootstrap-servers", self.brokers, "--eos", "--threads", "2", "--state-dir",
                f"{self.dir}/leat", "--set", "auto.offset.reset=earliest", "--set", "group.membership=dynamic", *words]

    def phase(self, number, command, name):
        began = time.time()
        self.records("load", self.args.keys, number, self.base_ms)
        loaded = time.time()
        log = f"{self.dir}/{number}-{name}.log"
        with open(log, "w") as out:
            run = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            said = self.records("wait", self.args.keys, number, self.base_ms, 60 + self.args.keys // 4000)
        except Failed as e:
            with open(log) as f:
                raise Failed(f"phase {number}, {name}: {e}\nthe end of its log:\n{f.read()[-3000:]}")
        finally:
            done = time.time()
            run.send_signal(signal.SIGTERM)
            try:
                run.wait(60)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
                raise Failed(f"phase {number}, {name} does not stop")
        with open(log) as f:
            text = f.read()
        replayed = sum(map(int, re.findall(r"restored (\d+) records", text)))
        print(f"ok   {name}: load {loaded - began:.1f} s, right after {done - loaded:.1f} s: {said}"
              f"{f'; restored {replayed} records' if name == 'leat' else ''}", flush=True)
        if name == "leat" and replayed == 0:
            raise Failed("leat restored nothing: it did not go on from the other's changelogs")

    def same_topology(self):
        java = subprocess.run(self.java("describe"), check=True, capture_output=True, text=True).stdout.strip()
        own = subprocess.run(self.leat("--describe"), check=True, capture_output=True, text=True).stdout.strip()
        if java != own:
            raise Failed(f"the topologies differ:\n{java}\n---\n{own}")
        print("ok   the same topology", flush=True)

    def run(self):
        subprocess.run(["javac", "-d", self.dir, "-cp", f"{self.jars}/*", f"{HERE}/Takeover.java"], check=True, stderr=subprocess.DEVNULL)
        self.kafka("format")
        self.kafka("start")
        try:
            self.records("create")
            self.same_topology()
            for number, (command, name) in enumerate(((self.java, "java"), (self.leat, "leat"), (self.java, "java")), 1):
                self.phase(number, command(), name)
        finally:
            self.kafka("stop")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", required=True)
    p.add_argument("--kafka", required=True)
    p.add_argument("--port", type=int, default=39392)
    p.add_argument("--keys", type=int, default=1_000_000 if os.environ.get("LEAT_LONG", "") not in ("", "0") else 10_000)
    args = p.parse_args()
    jars = os.environ.get("KAFKA_JARS", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                                                      "leat/kafka-4.3.1"))
    if not os.path.exists(f"{jars}/.complete") or shutil.which("javac") is None:
        print("NO KAFKA OR NO javac: taking over from Kafka Streams is SKIPPED (tests/kafka/kafka.sh fetch)", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    w = World(args, jars)
    try:
        w.run()
    except Failed as e:
        print(f"FAIL {e}", flush=True)
        sys.exit(1)
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(w.dir, ignore_errors=True)


main()
