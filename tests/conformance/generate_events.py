"""tests/conformance/generate_events.py: the input of a random scenario.

Records for the topics that a program reads, out of order, with nulls, ties, jumps of time and bytes that cannot be
decoded; and advances of the wall clock. Few keys and few values, so that they meet.
"""

STRINGS = ["x", "x", "y", "x y", "", "zz z", "x,y", "bad", "12", "-7", "y x x"]
LONGS = [0, 1, 1, 2, 3, 7, -5, 1000, 2**31, 2**63 - 1, -2**63]
INTS = [0, 1, 2, 3, 7, -5, 2**31 - 1, -2**31]
DOUBLES = [0.0, 1.0, 1.5, -2.25, 1e300, "NaN", "Infinity", "-Infinity", 3.0, -0.0]
BYTES = ["", "00", "61", "ff00", "6162"]


def draw_value(rng, type):
    values = {"string": STRINGS, "int64": LONGS, "int32": INTS, "double": DOUBLES, "bytes": BYTES}[type]
    return rng.choice(values[:6] if rng.random() < 0.7 else values)


def draw_key(rng, type):
    few = {"string": ["a", "a", "b", "c"], "int64": [1, 1, 2, 3], "int32": [1, 2], "bytes": ["61", "62"], "double": [1.0, 2.0]}[type]
    return draw_value(rng, type) if rng.random() < 0.1 else rng.choice(few)


def draw_plain(rng, type, key):
    if type.startswith("time_windowed:"):
        start = rng.choice([0, 5, 10, 20])
        return {"key": draw_key(rng, type.split(":")[1]), "start": start}
    if type.startswith("session_windowed:"):
        start = rng.choice([0, 5, 10])
        return {"key": draw_key(rng, type.split(":")[1]), "start": start, "end": start + rng.choice([0, 3])}
    return draw_key(rng, type) if key else draw_value(rng, type)


def draw(rng, program):
    # `inner` topics are written by the program; they get records from outside now and then
    topics = [t for t in program.topics if not t.get("inner") or rng.random() < 0.15]
    if not topics:
        return []
    nulls = rng.choice([0, 0.05, 0.15, 0.3])
    late = rng.choice([0, 0.2, 0.4])
    steps = rng.choice([[0, 1, 2], [0, 1, 1, 2, 3, 5, 9, 30], [1, 10, 40], [0, 0, 0, 1]])
    at, events = rng.choice([0, 0, 3, 100, 86400000 * 3]), []
    for _ in range(rng.randint(4, 26)):
        at += rng.choice(steps) if rng.random() < 0.96 else 200000
        t = rng.choice(topics)
        ts = max(0, at - (rng.choice([1, 4, 12, 40]) if rng.random() < late else 0))
        if t.get("wild") and rng.random() < 0.2:
            ts = -1
        e = {"topic": t["topic"], "key": draw_plain(rng, t["key"], True), "value": draw_plain(rng, t["value"], False), "ts": ts}
        if rng.random() < nulls / 2 and not t.get("keyed"):
            e["key"] = None
        if rng.random() < nulls:
            e["value"] = None
        if program.config.get("on_bad_input") == "continue" and rng.random() < 0.1:
            side = rng.choice(["key", "value"])
            if t[side] != "string":
                e[side] = {"raw": rng.choice(["", "00", "010203", "0000000000000001"])}
        if program.headers and rng.random() < 0.3:
            e["headers"] = [[rng.choice("hg"), rng.choice(["1", "2", "", None])] for _ in range(rng.choice([1, 1, 2]))]
        events.append(e)
        if rng.random() < 0.08:
            events.append({"advance_wall_ms": rng.choice([1, 20, 500])})
    return events
