#!/usr/bin/env python3
"""A global table on a real Kafka: whole before the first record, followed live, kept over a restart, rebuilt when its topic moved on.

usage: global_join_kafka.py --bin DIR --kafka KAFKA_SH [--port N]

Two processes of the example global-join. Rates are written and results read by kafka_rows, which knows nothing of leat: the
amount of a result says which rate was seen, and the key of a sale which of the two processes looked.
"""
import argparse, json, os, re, shutil, signal, subprocess, sys, tempfile, time

ROWS, SALES, PARTITIONS = 100_000, 1000, 4


class Failed(Exception):
    pass


class World:
    def __init__(self, args):
        self.bin = args.bin
        self.kafka_sh = args.kafka
        self.brokers = f"127.0.0.1:{args.port}"
        self.dir = tempfile.mkdtemp(prefix="leat-global-")
        self.env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(args.port))
        self.runs = {}

    def kafka(self, *words):
        subprocess.run([self.kafka_sh, *words], env=self.env, check=True)

    def tool(self, program, verb, *words, text=None):
        out = subprocess.run([f"{self.bin}/../tests/{program}", verb, self.brokers, *words], input=text, check=True,
                             stdout=subprocess.PIPE, text=True)
        return out.stdout

    def rates(self, rates):
        self.tool("kafka_rows", "put", "rates", "double", text="".join(f"{c} {r}\n" for c, r in rates.items()))

    def sales(self, sales):
        self.tool("kafka_rows", "put", "sales", "text",
                  text="".join(f'{shop} {{"currency":"{c}","amount":1.0}}\n' for shop, c in sales))

    def euros(self):
        """The amounts of each shop, in the order in which they came."""
        got = {}
        for line in self.tool("kafka_rows", "get", "sales-in-euros").splitlines():
            shop, value = line.split(" ", 1)
            got.setdefault(shop, []).append(json.loads(value)["amount"])
        return got

    def start(self, name):
        log = open(f"{self.dir}/{name}.log", "w")
        self.runs[name] = subprocess.Popen([f"{self.bin}/sales-in-euros", "--bootstrap-servers", self.brokers, "--state-dir",
                                            f"{self.dir}/{name}", "--set", "commit.interval.ms=100"], stdout=log, stderr=log)

    def log(self, name):
        with open(f"{self.dir}/{name}.log") as f:
            return f.read()

    def stop(self, name):
        run = self.runs.pop(name)
        run.send_signal(signal.SIGTERM)
        if run.wait(30) != 0:
            raise Failed(f"{name} ended with {run.returncode}\n{self.log(name)[-3000:]}")

    def until(self, what, check, seconds=30):
        end = time.time() + seconds
        while not check():
            for name, run in self.runs.items():
                if run.poll() is not None:
                    raise Failed(f"{name} ended with {run.returncode} while waiting for {what}\n{self.log(name)[-3000:]}")
            if time.time() > end:
                raise Failed(f"{what}: not within {seconds} s\n" + "\n".join(self.log(n)[-2000:] for n in self.runs))
            time.sleep(0.2)

    def read(self, name):
        """How many offsets of the global topic it says it read before it began."""
        pattern = r"global stores filled: (\d+) offsets"
        self.until(f"{name}'s global stores", lambda: re.search(pattern, self.log(name)))
        return int(re.search(pattern, self.log(name)).group(1))

    def close(self):
        for run in self.runs.values():
            run.kill()
            run.wait()
        self.kafka("stop")
        shutil.rmtree(self.dir, ignore_errors=True)


def expect(good, text):
    if not good:
        raise Failed(text)


def whole_before_the_first_record(w):
    w.rates({f"C{i}": float(i + 1) for i in range(ROWS)})
    sold = [(f"shop{i}", f"C{i * 97 % ROWS}") for i in range(SALES)]
    w.sales(sold)
    for name in "ab":
        w.start(name)
    for name in "ab":
        expect(w.read(name) == ROWS, f"{name} read {w.read(name)} offsets, not {ROWS}")
    w.until("the results of all sales", lambda: len(w.euros()) >= SALES)
    want = {shop: [float(c[1:]) + 1] for shop, c in sold}
    wrong = [s for s, amounts in w.euros().items() if set(amounts) != set(want[s])]
    expect(not wrong, f"{len(wrong)} sales had no rate, or another: {wrong[:5]}")
    w.until("tasks in both processes", lambda: all(re.search(r"[1-9]\d* tasks here", w.log(n)) for n in "ab"))


def followed_live(w):
    """16 shops are in all partitions, so both processes are asked."""
    shops = [f"live{i}" for i in range(16)]
    w.rates({"C5": 7777.0, "NEW": 8888.0})

    def seen():
        w.sales([(s, c) for s in shops for c in ("C5", "NEW")])
        time.sleep(0.3)
        got = w.euros()
        return all({7777.0, 8888.0} <= set(got.get(s, [])[-2:]) for s in shops)
    w.until("the changed and the new rate, everywhere", seen)


def kept_over_a_restart(w):
    w.stop("a")
    w.rates({f"C{i}": 1.5 for i in range(100)})
    w.start("a")
    expect(w.read("a") == 100, f"after a restart {w.read('a')} offsets were read, not the 100 new ones")


def rebuilt_when_its_offset_is_gone(w):
    for name in "ab":
        w.stop(name)
    w.rates({f"C{i}": 2.5 for i in range(100)})
    w.tool("kafka_rows", "truncate", "rates")
    w.rates({f"D{i}": 3.5 for i in range(50)})
    w.sales([("gone", "C99999"), ("there", "D49")])
    w.start("a")
    expect(w.read("a") == 50, f"{w.read('a')} offsets were read, not the 50 that the topic still has")
    expect("does not fit its topic" in w.log("a"), f"nothing is said of the lost state\n{w.log('a')[-2000:]}")
    w.until("a result by what is left", lambda: w.euros().get("there") == [3.5])
    w.stop("a")
    expect("gone" not in w.euros(), "a rate that its topic no longer has was still used")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", required=True)
    p.add_argument("--kafka", required=True)
    p.add_argument("--port", type=int, default=18392)
    args = p.parse_args()
    jars = os.environ.get("KAFKA_JARS", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                                                      "leat/kafka-4.3.1"))
    if not os.path.exists(f"{jars}/.complete"):
        print("NO KAFKA: global-join on a real broker is SKIPPED (tests/kafka/kafka.sh fetch)", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    w = World(args)
    status = 0
    try:
        w.kafka("format")
        w.kafka("start")
        for topic, partitions in (("rates", 2), ("sales", PARTITIONS), ("sales-in-euros", PARTITIONS)):
            w.tool("kafka_lines", "create", topic, str(partitions))
        for step in (whole_before_the_first_record, followed_live, kept_over_a_restart, rebuilt_when_its_offset_is_gone):
            start = time.time()
            step(w)
            print(f"ok   {step.__name__} ({time.time() - start:.1f} s)", flush=True)
    except (Failed, subprocess.CalledProcessError) as e:
        print(f"FAIL {e}", flush=True)
        status = 1
    finally:
        w.close()
    sys.exit(status)


main()
