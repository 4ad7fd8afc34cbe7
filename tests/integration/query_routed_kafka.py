#!/usr/bin/env python3
"""Three workers on a real Kafka: every key asked at every worker, and reads that go on while the owner of a key is killed.

usage: query_routed_kafka.py --bin DIR --kafka KAFKA_SH [--port N]

Three processes of the example routed-query, each with a copy of another's state, while visits of other pages flow. kafka_rows,
which knows nothing of leat, writes them. Waits are for conditions; the only figure that is a limit is that of a hang.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, threading, time, urllib.request

PAGES, PARTITIONS, HANG_S = 600, 6, 120
SESSION_MS = 6000


class Failed(Exception):
    pass


class Worker:
    def __init__(self, world, name, port):
        self.name, self.port, self.log_path = name, port, f"{world.dir}/{name}.log"
        self.log = open(self.log_path, "w")
        self.run = subprocess.Popen([f"{world.bin}/routed-query", world.brokers, str(port), f"{world.dir}/{name}",
                                     world.properties], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def ask(self, question):
        """(count, owner, standbys, error or None)"""
        try:
            self.run.stdin.write(question + "\n")
            self.run.stdin.flush()
            words = self.run.stdout.readline().rstrip("\n").split("\t")
        except BrokenPipeError:
            words = []
        if len(words) < 4:
            raise Failed(f"{self.name} ended: {self.run.poll()}\n{self.tail()}")
        return int(words[1]), words[2], words[3], words[4] if len(words) > 4 else None

    def tasks(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/tasks", timeout=HANG_S) as reply:
            return json.load(reply)["tasks"]

    def tail(self):
        self.log.flush()
        with open(self.log_path) as f:
            return f.read()[-3000:]


class World:
    def __init__(self, args):
        self.bin, self.kafka_sh = args.bin, args.kafka
        self.brokers = f"127.0.0.1:{args.port}"
        self.dir = tempfile.mkdtemp(prefix="leat-routed-")
        self.env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(args.port))
        self.properties = f"{self.dir}/properties"
        with open(self.properties, "w") as f:
            f.write(f"session.timeout.ms={SESSION_MS}\n")
        self.workers, self.http_port = [], args.port + 10
        self.flowing, self.flow = True, threading.Thread(target=self.write_others)

    def kafka(self, *words):
        subprocess.run([self.kafka_sh, *words], env=self.env, check=True)

    def visit(self, pages):
        subprocess.run([f"{self.bin}/../tests/kafka_rows", "put", self.brokers, "visits", "text"],
                       input="".join(f"{p} x\n" for p in pages), check=True, text=True)

    def write_others(self):
        while self.flowing:
            self.visit(f"other-{i}" for i in range(2000))
            time.sleep(0.2)

    def start(self):
        n = len(self.workers)
        self.workers.append(Worker(self, f"w{n}", self.http_port + n))

    def until(self, what, check):
        end = time.time() + HANG_S
        while not check():
            if time.time() > end:
                raise Failed(f"{what}: not within {HANG_S} s\n" + "\n".join(w.tail() for w in self.workers))
            time.sleep(0.05)

    def close(self):
        self.flowing = False
        if self.flow.is_alive():
            self.flow.join()
        for w in self.workers:
            w.run.kill()
            w.run.wait()
        self.kafka("stop")
        shutil.rmtree(self.dir, ignore_errors=True)


def expected(i):
    return i % 3 + 1


def page(i):
    return f"page-{i}"


def all_right(workers):
    """Of every page at each of them; false: not yet."""
    return all(w.ask(page(i))[0] == expected(i) for w in workers for i in range(PAGES))


def every_key_at_every_worker(w):
    w.visit(page(i) for i in range(PAGES) for _ in range(expected(i)))
    for _ in range(3):
        w.start()
    w.flow.start()
    w.until("every page right at every worker", lambda: all_right(w.workers))
    w.until("tasks in each worker", lambda: all(any(t["role"] == "active" for t in x.tasks()) for x in w.workers))
    w.until("every page right at every worker, once more", lambda: all_right(w.workers))
    owners = {w.workers[0].ask(page(i))[1] for i in range(PAGES)}
    if len(owners) != 3:
        raise Failed(f"owners are {owners}")


def copies_are_whole(w):
    copies = [t for x in w.workers for t in x.tasks() if t["role"] == "standby"]
    return len(copies) == PARTITIONS and all(t["records_left"] is not None and t["records_left"] < 10000 for t in copies)


class Strict(threading.Thread):
    """Asks only owners: until the new one answers, what is said meanwhile is kept."""

    def __init__(self, worker, i, dead, killed):
        super().__init__()
        self.worker, self.i, self.dead, self.killed = worker, i, dead, killed
        self.said = self.back = None
        self.start()

    def run(self):
        while self.back is None and time.time() < self.killed + HANG_S:
            count, owner, standbys, error = self.worker.ask(page(self.i))
            if error is None and owner != self.dead and count == expected(self.i):
                self.back = time.time() - self.killed
            elif self.said is None and error:
                self.said = (error, standbys)


def reads_go_on_without_the_owner(w):
    asker, victim = w.workers[0], w.workers[1]
    host = f"127.0.0.1:{victim.port}"
    w.until("a copy of every task", lambda: copies_are_whole(w))
    its = [i for i in range(PAGES) if asker.ask(page(i))[1] == host]
    w.until("copies that answer right", lambda: all(asker.ask(page(i) + "?")[0] == expected(i) for i in its))

    victim.run.kill()
    killed = last = time.time()
    strict = Strict(w.workers[2], its[0], host, killed)
    longest, wrong = 0.0, []
    while strict.is_alive() or time.time() < killed + 1:
        for i in its:
            count, _, _, error = asker.ask(page(i) + "?")
            now = time.time()
            if error or count != expected(i):
                wrong.append((page(i), count, error))
                continue
            longest, last = max(longest, now - last), now
    said, back = strict.said, strict.back
    if back is None:
        raise Failed(f"nobody took over: {said}\n{asker.tail()}")
    if wrong:
        raise Failed(f"{len(wrong)} stale reads were not answered right, the first: {wrong[0]}")
    if said is None or host not in said[0] or said[1].split(",")[0] not in said[0] or "will own it" not in said[0]:
        raise Failed(f"who will own a page was not said: {said}")
    rest = [w.workers[0], w.workers[2]]
    w.workers.remove(victim)
    w.until("every page right at those who are left", lambda: all_right(rest))
    print(f"     stale reads: longest time without one {longest * 1000:.0f} ms; the new owner answered {back:.1f} s after the "
          f"kill (session.timeout.ms={SESSION_MS}); meanwhile: {said[0]}")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", required=True)
    p.add_argument("--kafka", required=True)
    p.add_argument("--port", type=int, default=18402)
    args = p.parse_args()
    jars = os.environ.get("KAFKA_JARS", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                                                      "leat/kafka-4.3.1"))
    if not os.path.exists(f"{jars}/.complete"):
        print("NO KAFKA: routed queries on a real broker are SKIPPED (tests/kafka/kafka.sh fetch)", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    w = World(args)
    status = 0
    try:
        w.kafka("format")
        w.kafka("start")
        subprocess.run([f"{w.bin}/../tests/kafka_lines", "create", w.brokers, "visits", str(PARTITIONS)], check=True)
        for step in (every_key_at_every_worker, reads_go_on_without_the_owner):
            start = time.time()
            step(w)
            print(f"ok   {step.__name__} ({time.time() - start:.1f} s)", flush=True)
    except (Failed, subprocess.CalledProcessError, OSError) as e:
        print(f"FAIL {e}", flush=True)
        status = 1
    finally:
        w.close()
    sys.exit(status)


main()
