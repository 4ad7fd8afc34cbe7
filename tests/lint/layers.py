#!/usr/bin/env python3
"""Includes follow the layers, and each third-party header stays behind its seam.

The arrow is base <- statestore <- runtime <- dsl; programs (examples, tools) see the public headers only, and those see
nobody else's. The include path of each CMake layer enforces half of this; here is the rest, with a sentence.
"""
import os
import re

from files import Findings, read, walk

SEES = {
    "base": {"base"},
    "statestore": {"base", "statestore"},
    "runtime": {"base", "statestore", "runtime"},
    "dsl": {"base", "statestore", "runtime", "dsl"},
    "include": set(),
    "examples": {"examples"},
    "tools": {"base", "runtime", "tools"},  # of runtime, what makes clients of Kafka: see below
}
# Third-party header -> who may include it.
SEAMS = {
    "librdkafka/": lambda p: p.startswith("runtime/kafka/"),  # tools/leat gets it from kafka.h
    "rocksdb/": lambda p: p.startswith("statestore/") and p.endswith("_rocksdb.c"),
    "jansson.h": lambda p: p in ("base/serde_json.c", "base/serde_fields.c", "base/json_value.c", "runtime/query/points.c") or p.startswith(("examples/", "tools/")),
    "microhttpd.h": lambda p: p.startswith("runtime/query/"),
    "curl/": lambda p: p in ("runtime/query/peers.c", "tools/leat/worker.c"),
}
# Inside runtime: the two implementations of the seam know nothing of each other, and only these files open them.
OPENERS = {"runtime/broker_open.c", "runtime/stdio_run.c"}
# The program leat is a client of its own: it shares the making of clients and the texts of errors with the engine.
TOOLS_OF_RUNTIME = {"runtime/kafka/kafka.h"}


def folder_of(path, name):
    """The top folder of what an include names, or None for a system header."""
    if name.startswith("leat/"):
        return "include"
    top = name.split("/")[0]
    if top in SEES or top == "tests":
        return top
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    return beside.split("/")[0] if "/" in beside else None


def main():
    found, files = Findings("lint/layers"), 0
    for path in walk(*SEES):
        if not path.endswith((".c", ".h", ".cpp")):
            continue
        files += 1
        layer = path.split("/")[0]
        for number, line in enumerate(read(path).splitlines(), 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not m:
                continue
            where, name = f"{path}:{number}", m.group(2)
            for header, allowed in SEAMS.items():
                if name.startswith(header) and not allowed(path):
                    found.say(where, f"{name} is not for this file: it stays behind its seam (tests/lint/layers.py)")
            top = folder_of(path, name) if m.group(1) == '"' or name.startswith("leat/") else None
            if top and top != "include" and top not in SEES[layer]:
                found.say(where, f"{layer} may not include {top}: base <- statestore <- runtime <- dsl")
            if layer == "tools" and top == "runtime" and name not in TOOLS_OF_RUNTIME:
                found.say(where, f"of runtime, tools may include {', '.join(sorted(TOOLS_OF_RUNTIME))} only")
            if layer == "include" and m.group(1) == '"':
                found.say(where, "public headers include each other as <leat/...>")
            for one, other in (("kafka", "embedded"), ("embedded", "kafka")):
                if path.startswith(f"runtime/{one}/") and f"{other}/" in name:
                    found.say(where, f"runtime/{one} may not know runtime/{other}")
            if re.search(r"\b(kafka|embedded)/", name) and "librdkafka" not in name and path not in OPENERS \
                    and not path.startswith(("runtime/kafka/", "runtime/embedded/", "tools/")):
                found.say(where, f"only {', '.join(sorted(OPENERS))} may open an implementation of the seam")
    found.end(f"{files} files")


main()
