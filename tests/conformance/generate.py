#!/usr/bin/env python3
"""tests/conformance/generate.py: random scenarios over the whole vocabulary of FORMAT.md.

    generate.py SEED COUNT > scenarios.jsonl

One scenario a line, without its answer: tests/conformance/differential asks Kafka Streams for it. The same seed gives
the same scenarios. The idea: a program grows step by step from a pool of streams, tables and groupings, each of
which knows its key and value types; a step is drawn among those that fit what is in the pool. So nearly every program is
legal; illegal ones come about as well, and then the errors are compared. Left out on purpose is what leat does differently
and says so (README.md, Deviations): headers appended where siblings see them, sliding windows of difference 0, a left
stream-table join with grace and null keys, a global join that changes the type below a merged repartition topic.
"""
import json
import random
import sys

import generate_dsl
import generate_events
import generate_papi


def scenario(seed, index):
    rng = random.Random("%s/%d" % (seed, index))
    program = generate_papi.Topology(rng) if rng.random() < 0.12 else generate_dsl.Program(rng)
    program.grow()
    return {"name": "random/%s-%d" % (seed, index), "title": "drawn by generate.py", "config": program.config,
            "topology": program.steps, "input": generate_events.draw(rng, program)}


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: generate.py SEED COUNT")
    for i in range(int(sys.argv[2])):
        print(json.dumps(scenario(sys.argv[1], i)))


if __name__ == "__main__":
    main()
