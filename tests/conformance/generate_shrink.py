"""tests/conformance/generate_shrink.py: smaller scenarios that differ in the same way.

A round tries every way to leave something out (a step with all that needs it, a step bridged over, a field, events) and keeps
the smallest scenario that still fails with the same kind of difference, until nothing can be left out any more.
`judge` asks Kafka Streams and leat for many scenarios at once and gives a verdict text for each, "" where they agree.
"""
import copy
import json
import re


def kind(text):
    """What a difference is about, without the numbers and names of this very scenario."""
    head = text.split(":")[0] if not text.startswith(("build:", "start:")) else text.split("(")[0]
    return re.sub(r"topic \S*-(changelog|repartition)", r"topic \1", re.sub(r"(store|topic) (?!\S*-(changelog|repartition))\S+", r"\1", re.sub(r"\d+", "", head)))


def names_in(step):
    """Ids and stores that a step makes."""
    made = {step.get("id"), step.get("name")} | {b.get("id") for b in step.get("branches", [])} | {step.get("default", {}).get("id")}
    if step["op"] in ("state_store", "add_state_store", "global_store", "add_global_store", "add_read_only_store"):
        made.add(step["store"]["name"])
    return made - {None}


def needs(step):
    wanted = {step.get("from"), step.get("with"), step.get("count_store")} | set(step.get("stores", [])) | set(step.get("parents", []))
    wanted |= {p["from"] for p in step.get("parts", [])} | {step.get("processor") if step["op"] == "connect" else None}
    if isinstance(step.get("processor"), dict):
        wanted.add(step["processor"].get("store"))
    return wanted - {None}


def without_step(s, i):
    s = copy.deepcopy(s)
    gone = names_in(s["topology"].pop(i))
    again = True
    while again:
        again = False
        for step in list(s["topology"]):
            if needs(step) & gone and not names_in(step) & (needs(step) & gone):
                s["topology"].remove(step)
                gone |= names_in(step)
                again = True
    return s


def bridged(s, i):
    s = copy.deepcopy(s)
    step = s["topology"].pop(i)
    source = step.get("from") or (step.get("parents") or [None])[0]
    made = names_in(step)
    if not source or not made:
        return None
    for other in s["topology"]:
        for field in ("from", "with"):
            if other.get(field) in made:
                other[field] = source
        for part in other.get("parts", []):
            if part["from"] in made:
                part["from"] = source
        if "parents" in other:
            other["parents"] = [source if p in made else p for p in other["parents"]]
    return s


def fields_left_out(s):
    for name in s["config"]:
        t = copy.deepcopy(s)
        del t["config"][name]
        yield t
    for i, step in enumerate(s["topology"]):
        for name in ("as", "store", "emit", "timestamp", "reset", "default", "grace", "logging", "store_name", "store_type", "max_bytes", "max_records"):
            if name in step and not (name == "store" and "kind" in step[name]):
                t = copy.deepcopy(s)
                del t["topology"][i][name]
                yield t
        for holder in ("store", "window", "processor"):
            for name in list(step[holder]) if isinstance(step.get(holder), dict) else []:
                if name not in ("name", "type", "kind", "key", "value", "query", "store"):
                    t = copy.deepcopy(s)
                    del t["topology"][i][holder][name]
                    yield t
        for name in ("fn", "value_fn", "key_fn", "foreign_key"):
            if "|" in str(step.get(name)):
                stages = step[name].split("|")
                for j in range(len(stages)):
                    t = copy.deepcopy(s)
                    t["topology"][i][name] = "|".join(stages[:j] + stages[j + 1:])
                    yield t
        for name in ("parts", "branches"):
            for j in range(len(step.get(name, [])) if len(step.get(name, [])) > 1 else 0):
                t = copy.deepcopy(s)
                del t["topology"][i][name][j]
                yield t


def events_left_out(s):
    n = len(s["input"])
    size = n
    while size >= 1:
        for at in range(0, n, size):
            t = copy.deepcopy(s)
            del t["input"][at:at + size]
            yield t
        size //= 2
    for i, e in enumerate(s["input"]):
        if "headers" in e:
            t = copy.deepcopy(s)
            del t["input"][i]["headers"]
            yield t


def legal(s):
    """References to steps that are gone make no scenario."""
    made, topics, patterns = set(), set(), []
    for step in s["topology"]:  # the Processor API names stores before they are added
        made |= names_in(step) if step["op"].startswith("add_") else set()
    for step in s["topology"]:
        if not needs(step) - names_in(step) <= made:
            return False
        made |= names_in(step)
        topics |= set(step.get("topics", [])) | ({step["topic"]} if "topic" in step and step["op"] not in ("to", "add_sink") else set())
        patterns += [step["pattern"]] if "pattern" in step else []
    s["input"] = [e for e in s["input"] if "topic" not in e or e["topic"] in topics or any(re.fullmatch(p, e["topic"]) for p in patterns)]
    return bool(s["topology"])


def smaller(s):
    for i in range(len(s["topology"])):
        yield without_step(s, i)
        yield bridged(s, i)
    yield from fields_left_out(s)
    yield from events_left_out(s)


def shrink(s, judge, say=lambda text: None):
    wanted = kind(judge([s])[0])
    for _ in range(40):
        tries = {}
        for t in smaller(s):
            if t and legal(t):
                tries.setdefault(json.dumps(t), t)
        tries = sorted(tries.values(), key=lambda t: len(json.dumps(t)))
        texts = judge(tries)
        kept = [t for t, text in zip(tries, texts) if text and kind(text) == wanted]
        if not kept or len(json.dumps(kept[0])) >= len(json.dumps(s)):
            break
        s = kept[0]
        say("%d steps, %d events" % (len(s["topology"]), len(s["input"])))
    return s
