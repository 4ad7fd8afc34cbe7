#!/usr/bin/env python3
"""Long and dull: a worker that has nothing to do, and one under a steady load. CPU and memory over time, on a real Kafka.

usage: tests/bench/soak.py [--bin build/release] [--port N] idle [--minutes 10]
       tests/bench/soak.py ... load [--minutes 30] [--rate 20000] [--guarantee eos]

idle: 24 tasks of w3 (count by key) on 8 threads, no input: less than 1 % of a core, memory flat.
load: 4 tasks of w3 on 2 threads, 100 000 keys: all is counted, memory flat, no growing lag.
Memory is flat when the middle of the last third of the time is at most 5 % and 4 MB above that of the third before it. Prints a line a
minute, a line of the guide's table in the end, and exits with 1 if something was missed. Starts and stops a broker of its own.
"""
import argparse, os, re, shutil, signal, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")
EVERY_S = 2


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def rss_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


class World:
    def __init__(self, args):
        self.args, self.brokers = args, f"127.0.0.1:{args.port}"
        self.dir = tempfile.mkdtemp(prefix="leat-soak-")
        extra = "log.retention.bytes=300000000\nlog.segment.bytes=50000000\nlog.retention.check.interval.ms=20000"
        self.env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(args.port), KAFKA_EXTRA=extra)
        self.runs = []

    def kafka(self, verb):
        subprocess.run([f"{HERE}/../kafka/kafka.sh", verb], env=self.env, check=True)

    def tool(self, verb, *words, **more):
        run = subprocess.Popen([f"{self.args.bin}/tests/failover-records", verb, self.brokers, *map(str, words)], text=True, **more)
        self.runs.append(run)
        return run

    def worker(self, threads, guarantee):
        self.log = f"{self.dir}/worker.log"
        with open(self.log, "w") as log:
            run = subprocess.Popen([f"{self.args.bin}/bin/leat-bench", "workload=w3", f"guarantee={guarantee}", "app=soak", "in=in", "out=out",
                                    f"brokers={self.brokers}", f"threads={threads}", f"state={self.dir}/state"], stdout=log, stderr=log)
        self.runs.append(run)
        end = time.time() + 60
        while "STATE RUNNING" not in open(self.log).read():
            if run.poll() is not None or time.time() > end:
                raise RuntimeError(f"the worker does not run:\n{open(self.log).read()[-2000:]}")
            time.sleep(0.1)
        return run

    def close(self):
        for run in self.runs:
            if run.poll() is None:
                run.kill()
                run.wait()
        self.kafka("stop")
        shutil.rmtree(self.dir, ignore_errors=True)


def observe(w, run, minutes, each_minute):
    """CPU share of a core, and the resident memory, sample by sample."""
    memory, began, cpu_began = [], time.time(), cpu_s(run.pid)
    minute, cpu_minute = 0, cpu_began
    while time.time() - began < minutes * 60:
        time.sleep(EVERY_S)
        if run.poll() is not None:
            raise RuntimeError(f"the worker ended:\n{open(w.log).read()[-2000:]}")
        memory.append(rss_mb(run.pid))
        if int((time.time() - began) / 60) > minute:
            minute, before, cpu_minute = minute + 1, cpu_minute, cpu_s(run.pid)
            print(f"  minute {minute}: {(cpu_minute - before) / 60:.2%} of a core, {memory[-1]:.1f} MB{each_minute()}", flush=True)
    return (cpu_s(run.pid) - cpu_began) / (time.time() - began), memory


def is_flat(memory):
    third = len(memory) // 3
    before, last = statistics.median(memory[third:2 * third]), statistics.median(memory[2 * third:])
    return last <= before * 1.05 + 4, f"{memory[0]:.0f} MB at first, {before:.0f} in the second third, {last:.0f} in the last"


def idle(w):
    if w.tool("create", 24, "in", "out").wait() != 0:
        raise RuntimeError("no topics")
    run = w.worker(8, "eos")
    time.sleep(5)
    share, memory = observe(w, run, w.args.minutes, lambda: "")
    flat, said = is_flat(memory)
    print(f"| 24 tasks, 8 threads, no input, {w.args.minutes:g} min | {share:.2%} of a core; memory {said} |")
    return share < 0.01 and flat


def load(w):
    if w.tool("create", 4, "in", "out").wait() != 0:
        raise RuntimeError("no topics")
    run = w.worker(2, w.args.guarantee)
    with open(f"{w.dir}/seen", "w") as seen:
        watch = w.tool("watch", "out", stdout=seen)
    loader = w.tool("load", "in", w.args.rate, 100_000, stdout=subprocess.PIPE)
    time.sleep(5)

    def lately():
        """Outputs of the last minute: they stop when the worker does not keep up or hangs."""
        newest, total = time.time() * 1000 - 60_000, 0
        for line in open(f"{w.dir}/seen"):
            words = line.split()
            if line.endswith("\n") and int(words[0]) >= newest:
                total += sum(map(int, words[1:]))
        return f", {total} outputs seen"
    share, memory = observe(w, run, w.args.minutes, lately)
    loader.send_signal(signal.SIGTERM)
    sent = int(loader.communicate()[0])
    time.sleep(5)
    for p in (watch, run):
        p.send_signal(signal.SIGTERM)
        p.wait(60)
    seen = sum(sum(map(int, line.split()[1:])) for line in open(f"{w.dir}/seen"))
    last = time.time() - int(open(f"{w.dir}/seen").read().split("\n")[-2].split()[0]) / 1000
    flat, said = is_flat(memory)
    print(f"| {w.args.rate} records/s, {w.args.guarantee}, {w.args.minutes:g} min | {share:.1%} of a core; memory {said}; {sent} records in, {seen} "
          f"outputs seen, the last {last:.1f} s before the end |")
    # the default cache holds all of these keys: what comes out is what changed since the last commit
    return flat and seen > 0 and last < 30 and run.returncode == 0


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", default=f"{HERE}/../../build/release", help="a build folder")
    p.add_argument("--port", type=int, default=18592)
    p.add_argument("case", choices=["idle", "load"])
    p.add_argument("--minutes", type=float)
    p.add_argument("--rate", type=int, default=20_000)
    p.add_argument("--guarantee", choices=["eos", "alo"], default="eos")
    args = p.parse_args()
    args.minutes = args.minutes or {"idle": 10, "load": 30}[args.case]
    w = World(args)
    try:
        w.kafka("format")
        w.kafka("start")
        well = {"idle": idle, "load": load}[args.case](w)
    finally:
        w.close()
    print("well" if well else "MISSED", flush=True)
    sys.exit(0 if well else 1)


main()
