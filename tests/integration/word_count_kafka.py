#!/usr/bin/env python3
"""word-count on a real Kafka: every final count exact, through stops, a second process, kill -9 and a broker that goes away.

usage: word_count_kafka.py --bin DIR --kafka KAFKA_SH CASE...     (no CASE: all)

Each case starts from fresh topics and a fresh state directory on one broker that this script starts and stops. The oracle is
kafka_lines, which knows nothing of leat: it made the text, and reads the output with read_committed.
"""
import argparse, os, re, shutil, signal, subprocess, sys, tempfile, time

LINES = 500_000


class Failed(Exception):
    pass


class World:
    def __init__(self, args):
        self.bin, self.kafka_sh = args.bin, args.kafka
        self.port = args.port
        self.brokers = f"127.0.0.1:{self.port}"
        self.dir = tempfile.mkdtemp(prefix="leat-word-count-")
        self.env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(self.port))
        self.runs = []

    def kafka(self, *words):
        subprocess.run([self.kafka_sh, *words], env=self.env, check=True)

    def lines(self, *words):
        out = subprocess.run([f"{self.bin}/../tests/kafka_lines", words[0], self.brokers, *map(str, words[1:])],
                             check=True, capture_output=True, text=True)
        return out.stdout

    def close(self):
        for run in self.runs:
            if run.poll() is None:
                run.kill()
                run.wait()
        self.kafka("stop")
        shutil.rmtree(self.dir, ignore_errors=True)


class Case:
    """One application on topics of its own."""

    def __init__(self, world, name, eos, lines=LINES):
        self.w, self.name, self.eos = world, name, eos
        self.input, self.output = f"{name}-lines", f"{name}-counts"
        world.lines("create", self.input, 4)
        world.lines("create", self.output, 4)
        self.expected = f"{world.dir}/{name}.expected"
        world.lines("load", self.input, lines, 7, self.expected)

    def command(self, *more, process="a"):
        return [f"{self.w.bin}/word-count", "--bootstrap-servers", self.w.brokers, "--input", self.input, "--output",
                self.output, "--application-id", self.name, "--threads", "2", "--state-dir",
                f"{self.w.dir}/{self.name}-{process}", *(["--eos"] if self.eos else []), *more]

    def start(self, *more, process="a"):
        log = open(f"{self.w.dir}/{self.name}-{process}.log", "a")
        run = subprocess.Popen(self.command(*more, process=process), stdout=log, stderr=log)
        run.log = lambda: self.log(process)
        self.w.runs.append(run)
        return run

    def log(self, process="a"):
        with open(f"{self.w.dir}/{self.name}-{process}.log") as f:
            return f.read()

    def to_end(self, seconds=120, process="a"):
        run = self.start("--to-end", process=process)
        try:
            status = run.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name}: not at the end after {seconds} s\n{self.log(process)[-3000:]}")
        if status != 0:
            raise Failed(f"{self.name}: exit status {status}\n{self.log(process)[-3000:]}")

    def records(self):
        got = f"{self.w.dir}/{self.name}.got"
        return int(self.w.lines("counts", self.output, got).split()[1])

    def wait_for_output(self, at_least=1000, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if self.records() >= at_least:
                return
            time.sleep(0.1)
        raise Failed(f"{self.name}: no output after {seconds} s\n{self.log()[-3000:]}")

    def check(self, at_least=False):
        """Every count exact; at_least: a failure in the middle may double under at-least-once, never lose."""
        got = f"{self.w.dir}/{self.name}.got"
        summary = self.w.lines("counts", self.output, got)
        want = dict(line.split() for line in open(self.expected))
        have = dict(line.split() for line in open(got))
        wrong = [w for w in want.keys() | have.keys() if want.get(w) != have.get(w)
                 and not (at_least and int(have.get(w, 0)) > int(want.get(w, 0)))]
        if wrong:
            few = ", ".join(f"{w}: want {want.get(w)}, got {have.get(w)}" for w in sorted(wrong)[:5])
            raise Failed(f"{self.name}: {len(wrong)} of {len(want)} counts are wrong: {few}")
        _, records, _, down, _, strange = summary.split()
        if strange != "0":
            raise Failed(f"{self.name}: {strange} strange records")
        if self.eos and down != "0":
            raise Failed(f"{self.name}: a count went down or came twice {down} times under exactly once")
        return int(records)


def stop(run, seconds=30):
    run.send_signal(signal.SIGTERM)
    try:
        status = run.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"still running {seconds} s after SIGTERM")
    if status != 0:
        raise Failed(f"exit status {status} after SIGTERM; the end of its log:\n{run.log()[-4000:]}")


def whole(w, eos, name):
    c = Case(w, name, eos)
    c.to_end()
    c.check()


def stop_in_the_middle(w, eos, name):
    c = Case(w, name, eos)
    run = c.start("--set", "commit.interval.ms=100")
    c.wait_for_output()
    stop(run)
    c.to_end()
    c.check()


def two_processes(w, eos, name):
    c = Case(w, name, eos, 2 * LINES)
    a = c.start("--set", "commit.interval.ms=100")
    c.wait_for_output()
    b = c.start("--set", "commit.interval.ms=100", process="b")
    time.sleep(4)
    if "tasks here" not in c.log("b") or ": 0 tasks here" in c.log("b").splitlines()[-1]:
        raise Failed(f"{name}: the second process got no task\n{c.log('b')[-2000:]}")
    stop(a)
    stop(b)
    c.to_end(process="b")
    c.check()


def kill_in_the_middle(w, eos, name):
    c = Case(w, name, eos)
    run = c.start("--set", "statestore.checkpoint.interval.ms=500")
    c.wait_for_output(20000)
    run.kill()
    run.wait()
    before = len(c.log())
    c.to_end()
    c.check()
    replayed = [int(n) for n in re.findall(r"restored (\d+) records of counts", c.log()[before:])]
    if len(replayed) != 4:
        raise Failed(f"{name}: the log does not say what was replayed\n{c.log()[before:][:3000]}")
    print(f"    replayed {sum(replayed)} records after kill -9", flush=True)


def broker_away(w, eos, name):
    c = Case(w, name, eos)
    run = c.start("--set", "commit.interval.ms=100")
    c.wait_for_output()
    w.kafka("kill")
    time.sleep(20)
    if run.poll() is not None:
        raise Failed(f"{name}: it ended while the broker was away\n{c.log()[-3000:]}")
    w.kafka("start")
    end = time.time() + 60
    before = c.records()
    while c.records() <= before and time.time() < end:
        time.sleep(0.5)
    stop(run, 60)
    c.to_end()
    c.check(at_least=not eos)


def expect_error(w, name, args, *texts, seconds=40):
    start = time.time()
    out = subprocess.run([f"{w.bin}/word-count", *args], capture_output=True, text=True, timeout=seconds,
                         env=dict(os.environ, PASSWORD="wrong"))
    if out.returncode != 1:
        raise Failed(f"{name}: exit status {out.returncode}, wanted 1\n{out.stderr[-2000:]}")
    last = out.stderr.strip().splitlines()[-1]
    for text in texts:
        if text not in last:
            raise Failed(f"{name}: the error does not say \"{text}\": {last}")
    print(f"    {name} ({time.time() - start:.1f} s): {last}", flush=True)


def bad_input(w, eos, name):
    on = ["--bootstrap-servers", w.brokers, "--state-dir", f"{w.dir}/bad"]
    sasl = ["--bootstrap-servers", f"127.0.0.1:{w.port + 2}", "--state-dir", f"{w.dir}/bad", "--set",
            "security.protocol=SASL_PLAINTEXT", "--set", "sasl.mechanism=PLAIN", "--set", "sasl.username=leat"]
    w.lines("create", "bad-lines", 4)
    w.lines("create", "bad-counts", 4)
    expect_error(w, "unknown property", on + ["--set", "commit.intervall.ms=1"], "commit.intervall.ms", "commit.interval.ms")
    expect_error(w, "bad value", on + ["--threads", "none"], "num.stream.threads", "none")
    expect_error(w, "missing topic", on + ["--input", "no-such-topic"], "no-such-topic")
    blocked = f"{w.dir}/a-file"
    open(blocked, "w").close()
    expect_error(w, "unwritable state directory", ["--bootstrap-servers", w.brokers, "--state-dir", f"{blocked}/x"],
                 "state.dir", blocked)
    expect_error(w, "no broker", ["--bootstrap-servers", "127.0.0.1:1", "--state-dir", f"{w.dir}/bad"], "127.0.0.1:1")
    expect_error(w, "SASL refused", sasl + ["--set", "sasl.password=${env:PASSWORD}"], "uthentication")
    expect_error(w, "TLS refused", on + ["--set", "security.protocol=SSL"], "SSL")
    args = on + ["--input", "bad-lines", "--output", "bad-counts"]
    first = subprocess.Popen([f"{w.bin}/word-count", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first.log = lambda: ""
    w.runs.append(first)
    time.sleep(3)
    expect_error(w, "state directory in use", args, "in use", f"{w.dir}/bad")
    stop(first)


CASES = {
    "whole-alo": (whole, False), "whole-eos": (whole, True),
    "stop-alo": (stop_in_the_middle, False), "stop-eos": (stop_in_the_middle, True),
    "two-alo": (two_processes, False), "two-eos": (two_processes, True),
    "kill-eos": (kill_in_the_middle, True),
    "broker-away-alo": (broker_away, False), "broker-away-eos": (broker_away, True),
    "bad-input": (bad_input, False),
}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", required=True)
    p.add_argument("--kafka", required=True)
    p.add_argument("--port", type=int, default=39092)
    p.add_argument("cases", nargs="*", choices=[[], *CASES])
    args = p.parse_args()
    jars = os.environ.get("KAFKA_JARS", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                                                      "leat/kafka-4.3.1"))
    if not os.path.exists(f"{jars}/.complete"):
        print("NO KAFKA: word-count on a real broker is SKIPPED (tests/kafka/kafka.sh fetch)", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    w = World(args)
    failures = 0
    try:
        w.kafka("format")
        w.kafka("start")
        for name in args.cases or CASES:
            run, eos = CASES[name]
            start = time.time()
            try:
                run(w, eos, name)
                print(f"ok   {name} ({time.time() - start:.1f} s)", flush=True)
            except (Failed, subprocess.CalledProcessError, subprocess.TimeoutExpired) as e:
                failures += 1
                print(f"FAIL {name}: {e}", flush=True)
                if isinstance(e, subprocess.CalledProcessError):
                    print(e.stderr)
    finally:
        w.close()
    sys.exit(1 if failures else 0)


main()
