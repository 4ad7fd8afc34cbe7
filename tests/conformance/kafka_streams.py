"""tests/conformance/kafka_streams.py: scenarios answered by Kafka Streams, in four variants.

The variants are those that leat-conformance forces with --store and --cache: stores on RocksDB and in memory, each without
the record cache and with it. Needs a JDK (17 or newer) and Kafka's jars, which tests/kafka/kafka.sh fetches once. The
oracle is compiled when it is older than its source.
"""
import copy
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
VARIANTS = {"rocksdb": ("rocksdb", False), "memory": ("in_memory", False), "rocksdb-cache": ("rocksdb", True), "memory-cache": ("in_memory", True)}
CACHE_BYTES = 1000000


def force(scenario, store, cache):
    """The scenario with its stores in `store`, but those that name a type of their own, with or without the cache."""
    s = copy.deepcopy(scenario)
    config = s.setdefault("config", {})
    config["store"] = store
    config["cache_bytes"] = (config.get("cache_bytes") or CACHE_BYTES) if cache else 0
    for step in s["topology"]:  # the setting is for the DSL's own stores
        if step.get("store", {}).get("kind") in ("kv", "timestamped_kv", "window", "timestamped_window", "session"):
            step["store"].setdefault("type", store)
    return s


class Oracle:
    def __init__(self, build):
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "leat", "kafka-4.3.1")
        self.jars = os.environ.get("KAFKA_JARS", cache)
        self.classes = os.path.join(build, "oracle")
        subprocess.run([os.path.join(HERE, "..", "kafka", "kafka.sh"), "fetch"], check=True)
        self.compile()

    def compile(self):
        folder = os.path.join(HERE, "oracle")
        sources = sorted(os.path.join(at, f) for at, _, files in os.walk(folder) for f in files if f.endswith(".java"))
        stamp = os.path.join(self.classes, "leat", "oracle", "Main.class")
        if os.path.exists(stamp) and os.path.getmtime(stamp) >= max(map(os.path.getmtime, sources)):
            return
        subprocess.run(["javac", "-J-Xmx512m", "-nowarn", "-Xlint:none", "-d", self.classes, "-cp", self.jars + "/*"] + sources, check=True)

    def run(self, words, *java, **how):
        command = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", *java, "-cp", self.classes + ":" + self.jars + "/*", "leat.oracle.Main"]
        return subprocess.run(command + words, **how)

    def answer(self, scenarios, folder):
        """A .jsonl of scenarios with their answers; those that the oracle cannot run are left out."""
        asked, answered = os.path.join(folder, "asked.jsonl"), os.path.join(folder, "answered.jsonl")
        with open(asked, "w") as f:
            f.writelines(json.dumps(s) + "\n" for s in scenarios)
        run = self.run(["--lines", asked, answered], "-Djava.io.tmpdir=" + folder, stdout=subprocess.PIPE, text=True, check=True)
        for line in run.stdout.splitlines()[:-1]:
            print("oracle: " + line[:200])
        with open(answered) as f:
            return [line for line in f]
