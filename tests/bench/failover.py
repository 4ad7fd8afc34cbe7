#!/usr/bin/env python3
"""How long readers of an output see nothing when a worker dies, stops or comes back: on a real Kafka, under exactly once.

usage: tests/bench/failover.py [--bin build/release] [--port N] [--times 10] [--rate 5000] CASE...

  kill       kill -9 of one of two workers; --session 6000,45000 and --standby 0,1 choose which of the four (all)
  stop       SIGTERM of one of two, which comes back afterwards
  lone       SIGTERM of a lone worker, started again at once
  crash      kill -9 of a lone worker, started again at once with its state in place
  rolling    three workers, each stopped and started again, one after another; --restart-delay 10000,0 (leat.restart.delay.ms) and
             --standby choose which of the four

The topology is w3 (count by key, 4 partitions, record cache), commit every 100 ms. A partition's silence is the longest time around
the event in which a reader with read_committed got nothing of it. Prints each time and a line of the guide's table in the end. Starts
and stops a broker of its own.
"""
import argparse, os, re, shutil, signal, statistics, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 4


def now_ms():
    return time.time_ns() // 1_000_000


class World:
    def __init__(self, args):
        self.args, self.brokers = args, f"127.0.0.1:{args.port}"
        self.dir = tempfile.mkdtemp(prefix="leat-failover-")
        self.env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(args.port), KAFKA_HEAP="1g")
        self.runs, self.count = [], 0

    def kafka(self, verb):
        subprocess.run([f"{HERE}/../kafka/kafka.sh", verb], env=self.env, check=True)

    def tool(self, verb, *words, **more):
        return subprocess.Popen([f"{self.args.bin}/tests/failover-records", verb, self.brokers, *map(str, words)], text=True, **more)

    def run_tool(self, verb, *words):
        if self.tool(verb, *words, stdout=subprocess.DEVNULL).wait() != 0:
            raise RuntimeError(f"failover-records {verb} failed")

    def close(self):
        for run in self.runs:
            if run.poll() is None:
                run.kill()
                run.wait()
        self.kafka("stop")
        if not self.args.keep:
            shutil.rmtree(self.dir, ignore_errors=True)


class Worker:
    def __init__(self, app, name):
        self.app, self.name, self.run, self.lives = app, name, None, 0

    def start(self):
        a = self.app
        self.lives += 1
        self.log = f"{a.w.dir}/{a.name}-{self.name}.{self.lives}.log"
        settings = {"workload": "w3", "guarantee": "eos", "app": a.name, "in": a.input, "out": a.output, "brokers": a.w.brokers,
                    "commit": 100, "threads": 1, "state": f"{a.w.dir}/{a.name}-{self.name}", **a.settings}
        with open(self.log, "w") as log:
            self.began_ms = now_ms()
            self.run = subprocess.Popen([f"{a.w.args.bin}/bin/leat-bench", *(f"{k}={v}" for k, v in settings.items())],
                                        stdout=log, stderr=log)
        a.w.runs.append(self.run)

    def end(self, number):
        self.run.send_signal(number)
        self.run.wait(60)

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def tasks(self):
        found = re.findall(r"placement \S+ obeyed: (\d+) tasks? here", self.text())
        return int(found[-1]) if found else 0

    def running_ms(self):
        found = re.findall(r"STATE RUNNING (\d+)", self.text())
        return int(found[0]) if found else None

    def replayed(self):
        """(records, stores) that this life read from changelogs before it went on."""
        found = re.findall(r"RESTORE_END \S+ (\d+)", self.text())
        return sum(map(int, found)), len(found)


class App:
    """One application under load, its workers, and what a reader of its output sees."""

    def __init__(self, w, workers, settings):
        w.count += 1
        self.w, self.name, self.settings = w, f"failover-{w.count}", settings
        self.input, self.output = f"{self.name}-in", f"{self.name}-out"
        w.run_tool("create", PARTITIONS, self.input, self.output)
        if w.args.preload:
            w.run_tool("load", self.input, 100_000, w.args.keys, max(1, w.args.preload // 100_000))
        self.workers = [Worker(self, chr(97 + i)) for i in range(workers)]
        self.seen = [[] for _ in range(PARTITIONS)]
        self.watch = w.tool("watch", self.output, stdout=subprocess.PIPE)
        w.runs.append(self.watch)
        threading.Thread(target=self.read, daemon=True).start()
        self.load = w.tool("load", self.input, w.args.rate, w.args.keys, stdout=subprocess.DEVNULL)
        w.runs.append(self.load)
        for worker in self.workers:
            worker.start()

    def read(self):
        for line in self.watch.stdout:
            at, *counts = map(int, line.split())
            for p, n in enumerate(counts):
                if n:
                    self.seen[p].append(at)

    def settled(self):
        recent = now_ms() - 600
        return all(w.run.poll() is None and w.tasks() > 0 for w in self.workers) and all(s and s[-1] > recent for s in self.seen)

    def settle(self, seconds=90):
        end, calm = time.time() + seconds, 0
        while time.time() < end:
            calm = calm + 1 if self.settled() else 0
            if calm > 30: # three seconds
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name}: not settled after {seconds} s: tasks {[w.tasks() for w in self.workers]}, "
                           f"silent for {[now_ms() - s[-1] if s else None for s in self.seen]} ms")

    def silence(self, since_ms):
        """Of each partition: its longest silence that ended after since_ms, or still lasts."""
        worst = []
        for s in self.seen:
            times = list(s) + [now_ms()]
            gaps = [b - a for a, b in zip(times, times[1:]) if b > since_ms]
            worst.append(max(gaps) if gaps else now_ms())
        return worst

    def until_heard(self, since_ms, seconds):
        """Until each partition was heard after since_ms, and half a second more."""
        end = time.time() + seconds
        while time.time() < end and not all(s and s[-1] > since_ms + 500 for s in self.seen):
            time.sleep(0.02)

    def close(self):
        for worker in self.workers:
            worker.run.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.run.wait(60)
        for run in (self.load, self.watch):
            run.send_signal(signal.SIGTERM)
            run.wait(30)


def s(ms):
    return f"{ms / 1000:.2f}"


def median_range(values):
    return f"{s(statistics.median(values))} s ({s(min(values))} to {s(max(values))})"


def kill(w):
    for session in map(int, w.args.session.split(",")):
        for standby in map(int, w.args.standby.split(",")):
            app = App(w, 2, {"session.timeout.ms": session, "heartbeat.interval.ms": min(2000, session // 3),
                             "num.standby.replicas": standby})
            worst, others = [], []
            for i in range(w.args.times):
                app.settle()
                victim = app.workers[i % 2]
                at = now_ms()
                victim.end(signal.SIGKILL)
                app.until_heard(at + session // 2, session / 1000 + 60)
                gaps = sorted(app.silence(at))
                survivor = app.workers[1 - i % 2]
                worst.append(gaps[-1])
                others.append(max([g for g in gaps if g < session // 2] or [0]))
                if gaps[-1] < session // 2:
                    raise RuntimeError("nothing was silent: the victim had no task?")
                print(f"  kill {i + 1}: silent {[s(g) for g in gaps]} s, replayed {survivor.replayed()[0]} records so far", flush=True)
                victim.start()
            app.close()
            print(f"| kill -9 of one of two, session {session} ms, {standby} standby | {median_range(worst)}; the survivor's "
                  f"partitions {s(max(others))} s at most |", flush=True)


def stop(w):
    for standby in map(int, w.args.standby.split(",")):
        app = App(w, 2, {"num.standby.replicas": standby})
        worst, back = [], []
        for i in range(w.args.times):
            app.settle()
            at, victim = now_ms(), app.workers[i % 2]
            victim.end(signal.SIGTERM)
            app.until_heard(now_ms() + 1000, 60)
            worst.append(max(app.silence(at)))
            at = now_ms()
            victim.start()
            app.settle()
            back.append(max(app.silence(at)))
            print(f"  stop {i + 1}: silent {s(worst[-1])} s, when it came back {s(back[-1])} s", flush=True)
        app.close()
        print(f"| SIGTERM of one of two, {standby} standby | {median_range(worst)}; when it comes back {median_range(back)} |", flush=True)


def restarts(w, number, what):
    app = App(w, 1, {})
    running, heard, replayed = [], [], []
    for i in range(w.args.times):
        app.settle()
        time.sleep(2)
        worker = app.workers[0]
        at = now_ms()
        worker.end(number)
        ended = now_ms()
        worker.start()
        app.until_heard(ended, 90)
        running.append((worker.running_ms() or now_ms()) - ended)
        heard.append(max(app.silence(at)))
        replayed.append(worker.replayed()[0])
        print(f"  {what} {i + 1}: stopped in {s(ended - at)} s, running {s(running[-1])} s after that, silent {s(heard[-1])} s, replayed "
              f"{replayed[-1]} records", flush=True)
    app.close()
    print(f"| {what} of a lone worker, started again | running after {median_range(running)}, silent {median_range(heard)}, replayed "
          f"{min(replayed)} to {max(replayed)} records |", flush=True)


def rolling(w):
    for delay in map(int, w.args.restart_delay.split(",")):
        for standby in map(int, w.args.standby.split(",")):
            app = App(w, 3, {"leat.restart.delay.ms": delay, "num.standby.replicas": standby})
            app.settle()
            began, replayed, worst = [x.tasks() for x in app.workers], [], []
            for i in range(w.args.times):
                at = now_ms()
                replayed.append(0)
                for worker in app.workers:
                    others = [x for x in app.workers if x is not worker]
                    replayed[-1] -= sum(x.replayed()[0] for x in others)
                    worker.end(signal.SIGTERM)
                    worker.start()
                    app.settle()
                    replayed[-1] += sum(x.replayed()[0] for x in app.workers)
                worst.append(max(app.silence(at)))
                print(f"  roll {i + 1}: tasks {began} -> {[x.tasks() for x in app.workers]}, replayed {replayed[-1]} records, silent "
                      f"{s(worst[-1])} s at most", flush=True)
            app.close()
            print(f"| rolling restart of three, delay {delay} ms, {standby} standby | replayed {min(replayed)} to {max(replayed)} records, "
                  f"silent {median_range(worst)} |", flush=True)


CASES = {"kill": kill, "stop": stop, "lone": lambda w: restarts(w, signal.SIGTERM, "SIGTERM"),
         "crash": lambda w: restarts(w, signal.SIGKILL, "kill -9"), "rolling": rolling}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", default=f"{HERE}/../../build/release", help="a build folder")
    p.add_argument("--port", type=int, default=18392)
    p.add_argument("--times", type=int, default=10)
    p.add_argument("--rate", type=int, default=5000)
    p.add_argument("--keys", type=int, default=200_000)
    p.add_argument("--preload", type=int, default=400_000, help="records before the start, so that there is state")
    p.add_argument("--session", default="6000,45000")
    p.add_argument("--standby", default="0,1")
    p.add_argument("--restart-delay", default="10000,0")
    p.add_argument("--keep", action="store_true", help="the folder with the logs")
    p.add_argument("cases", nargs="+", choices=CASES)
    args = p.parse_args()
    w = World(args)
    print(f"logs: {w.dir}" if args.keep else "", end="\n" if args.keep else "", flush=True)
    try:
        w.kafka("format")
        w.kafka("start")
        for case in args.cases:
            CASES[case](w)
    finally:
        w.close()


main()
