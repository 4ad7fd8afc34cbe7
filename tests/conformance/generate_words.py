"""tests/conformance/generate_words.py: what random programs are made of.

Functions, predicates, stores and processors of FORMAT.md that fit given types, and the pool of what a program has so far:
generate_dsl.py and generate_papi.py draw from it.
"""

SEPARATORS = ["+", ",", "-", "/", ":"]
PLAIN = ["string", "int64", "int32", "bytes", "double"]
NUMBERS = ["int64", "int32", "double"]


class Node:
    """What a step gave: kind is stream, table, grouped_stream, grouped_table or global."""

    def __init__(self, kind, id, key, value, **more):
        self.kind, self.id, self.key, self.value = kind, id, key, value
        self.windowed = more.get("windowed")  # a table fresh from a window, or filtered since
        self.versioned = more.get("versioned", False)
        self.depth = more.get("depth", 0)
        self.after_table = more.get("after_table", False) or kind == "table"
        self.after_versions = more.get("after_versions", False) or self.versioned
        self.used = False


def is_window(type):
    return type.startswith(("time_windowed:", "session_windowed:"))


def has_text(type):
    return type != "double"


class Words:
    def __init__(self, rng):
        self.rng = rng
        self.steps, self.nodes, self.topics, self.patterns = [], [], [], []
        self.sequence = 0
        self.stores = {}  # of processors: name -> (kind, key, value)
        self.null_keys = False
        self.naming = rng.choice([0, 0, 0.2, 0.5, 1])
        self.keys = rng.choice([["string"], ["string"], ["string", "int64"], ["string", "int32", "bytes"]])
        self.values = rng.choice([["string"], ["string", "int64"], ["string", "int64"], PLAIN])
        self.stateful_stores = rng.random() < 0.6
        self.headers = rng.random() < 0.3
        self.config = self.make_config()

    # ---- small choices ----

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, items):
        return self.rng.choice(items)

    def fresh(self, prefix):
        self.sequence += 1
        return "%s%d" % (prefix, self.sequence)

    def make_config(self):
        c = {}
        rng = self.rng
        if self.chance(0.4):
            c["optimization"] = self.pick(["all", "all", "reuse.ktable.source.topics", "merge.repartition.topics",
                                           "single.store.self.join", "none"])
        if self.chance(0.5):
            c["cache_bytes"] = 1000000
        if self.chance(0.2):
            c["emit_interval_ms"] = rng.choice([1, 400])
        if self.chance(0.15):
            c["on_bad_input"] = "continue"
        if self.chance(0.15):
            c["on_failure"] = "continue"
        if self.chance(0.1):
            c["start_wall_ms"] = 1000
        if self.chance(0.1):
            c["application_id"] = "my-app"
        return c

    def merges(self):
        return self.config.get("optimization", "none") in ("all", "merge.repartition.topics")

    # ---- functions ----

    def stage_of(self, type, key):
        """A stage that keeps the type, or "" """
        if type == "string":
            n = self.rng.randint(0, 12)
            return ["upper", "lower", "reverse", "append:" + self.pick("xy!"), "prepend:" + self.pick("pq"), "first_char",
                    "drop_first", "field:%d" % self.pick([0, 1]), "or_else:" + self.pick("nz"), "fail_if:" + self.pick(["bad", "x y"]),
                    "with_key:/" if has_text(key) else "upper", "first_char|or_else:z", ""][n]
        if type in NUMBERS:
            stages = ["add:%d" % self.pick([1, -3, 1000000]), "mul:%d" % self.pick([2, -1]), "negate", ""]
            if type != "double":
                stages += ["mod:%d" % self.pick([2, 3]), "fail_if:7"]
            return self.pick(stages)
        return ""

    def convert(self, have, want):
        """Stages from one type to another; None where there are none."""
        if have == want:
            return ""
        if is_window(have):
            inner = have.split(":")[1]
            if want == "int64" and self.chance(0.6):
                return self.pick(["window_start", "window_end"])
            rest = self.convert(inner, want)
            if rest is not None and self.chance(0.8):
                return "window_key" + ("|" + rest if rest else "")
            return "text" if want == "string" else None
        if want == "string":
            return "text" if has_text(have) else "to_int64|text"
        if want in NUMBERS:
            if have in NUMBERS:
                return "to_" + want
            if have == "bytes":
                have_text = "text|"
            else:
                have_text = ""
            number = self.pick(["length", "length", "parse_int64"])
            return have_text + number + ("" if want == "int64" else "|to_" + want)
        return None

    def expr(self, key, value, want, of="value"):
        """An expression giving `want` from a record of these types; None where there is none."""
        if self.chance(0.02):
            return "null"
        start, have = ("key|", key) if of == "key" or self.chance(0.08) else ("", value)
        if start == "key|" and self.convert(have, want) is None:
            start, have = "", value
        if self.convert(have, want) is None:
            if want == "string":
                return "const:c"
            return {"int64": "const_int64:5", "int32": "const_int32:6"}.get(want)
        stages = [self.stage_of(have, key) for _ in range(self.pick([0, 0, 1, 1, 2]))]
        stages.append(self.convert(have, want))
        if self.chance(0.2):
            stages.append(self.stage_of(want, key))
        stages = [s for s in stages if s]
        if not stages:
            return "key" if start else "value"
        return start + "|".join(stages)

    def predicate(self, key, value):
        of, type = ("key|", key) if self.chance(0.2) else ("", value)
        tests = ["not_null", "not_null", "is_null", "true"]
        if type == "string":
            tests += ["equals:x", "starts_with:x", "contains:y", "longer_than:1", "contains: ", "length|even", "first_char|equals:x"]
        elif type in NUMBERS:
            tests += ["gt:0", "lt:3", "gt:1"] + (["even", "odd"] if type != "double" else [])
        elif is_window(type):
            tests += ["window_start|gt:5", "window_end|even"]
        return of + self.pick(tests)

    def flat(self, value):
        lists = ["repeat:2", "none", "repeat:1"]
        if value == "string":
            lists = ["split_words", "split_words", "chars", "upper|chars", "repeat:2"]
        return self.pick(lists)

    def pair(self, result, a, b, fold=False):
        """A two-value function giving `result`; None where there is none. `fold`: a is the aggregate."""
        fns = []
        sep = self.pick(SEPARATORS)
        if a == result and not fold:
            fns += ["first"]
        if b == result:
            fns += ["last"]
        if result == "string" and has_text(a) and has_text(b):
            fns += ["concat:" + sep] * 3 + ["with_key:" + sep, "null_if_equal:" + sep]
            if not fold:
                fns += ["pair:" + sep] * 3
        if a == b == result and result in NUMBERS:
            fns += ["sum", "sum", "sum_zero_null", "max", "min", "sub"]
        if a == b == result == "string":
            fns += ["max", "min"]
        if a == result == "int64":
            fns += ["count"] + (["sum_lengths"] if has_text(b) else [])
        if not fold and self.chance(0.05):
            fns += ["null"]
        if self.chance(0.05) and b == result and has_text(b):
            fns += ["fail_if:bad"]
        return self.pick(fns) if fns else None

    def subtractor(self, add):
        name, _, arg = add.partition(":")
        if name == "concat":
            return self.pick(["concat:-", "remove:" + arg, "remove:" + arg])
        return {"sum": self.pick(["sub", "sub", "sub_zero_null"]), "sum_zero_null": "sub_zero_null", "count": "uncount"}.get(name, "first")

    # ---- the pool ----

    def step(self, op, **fields):
        step = {"op": op}
        step.update({k: v for k, v in fields.items() if v is not None})
        self.steps.append(step)
        return step

    def named(self, step, prefix="n", p=None):
        if self.chance(self.naming if p is None else p):
            step["as"] = self.fresh(prefix)

    def put(self, kind, step, key, value, *parents, **more):
        step["id"] = step.get("id") or self.fresh("s")
        more["depth"] = 1 + max([p.depth for p in parents], default=-1)
        more["after_table"] = any(p.after_table for p in parents)
        more["after_versions"] = any(p.after_versions for p in parents)
        for p in parents:
            p.used = True
        node = Node(kind, step["id"], key, value, **more)
        self.nodes.append(node)
        return node

    def some(self, kind, test=lambda n: True):
        found = [n for n in self.nodes if n.kind == kind and n.depth < 9 and test(n)]
        if not found:
            return None
        unused = [n for n in found if not n.used]
        return self.pick(unused) if unused and self.chance(0.7) else self.pick(found)

    def value_type(self, other=None):
        return other if other and self.chance(0.5) else self.pick(self.values)

    def dsl_store(self, versioned_ok=True, window=None, p=0.6):
        """A "store" field of a DSL step, or None."""
        if not self.chance(p):
            return None
        s = {}
        if self.chance(0.6):
            s["name"] = self.fresh("st")
        kind = self.rng.random()
        if kind < 0.12 and versioned_ok and not window:
            s.update(name=s.get("name") or self.fresh("st"), history_ms=self.pick([5, 30, 1000]))
        elif kind < 0.17 and not window:
            s.update(name=s.get("name") or self.fresh("st"), type="lru", max=self.pick([1, 2, 5]))
        elif kind < 0.35:
            s["type"] = self.pick(["in_memory", "rocksdb"])
        if s.get("type") == "lru":
            s["caching"] = False  # README.md, Deviations
        elif self.chance(0.25):
            s["caching"] = self.chance(0.3)
        if self.chance(0.15) and "history_ms" not in s:
            s["logging"] = False
        if window and window["type"] != "unlimited" and self.chance(0.25):
            span = window.get("size", 0) + 2 * window.get("diff", 0) + window.get("gap", 0) + window.get("grace", 0)
            s["retention_ms"] = span + self.pick([0, 1, 20, 100000])
        return s

    # ---- topics, stores, processors ----

    def new_topic(self, key, value, **more):
        name = self.fresh(self.pick(["in", "t", "a.topic-"]))
        self.topics.append(dict(topic=name, key=key, value=value, **more))
        return name

    def timestamp(self, value):
        if not self.chance(0.12):
            return None
        return self.pick(["skip_invalid", "partition_time", "record"] + (["value:" + ("length" if value == "string" else "mod:50")]
                         if value in ("string", "int64") else []))

    def make_store(self, key, value, kinds=("kv", "kv", "timestamped_kv", "lru", "versioned", "window", "timestamped_window", "session")):
        kind = self.pick(list(kinds))
        s = {"name": self.fresh("ps"), "kind": kind, "key": key, "value": value}
        if kind == "lru":
            s["max"] = self.pick([1, 3])
        elif kind == "versioned":
            s["history_ms"] = self.pick([1, 10, 1000])
        elif kind in ("window", "timestamped_window"):
            s["size_ms"] = self.pick([1, 10])
            s["retention_ms"] = self.pick([10, 50, 100000])
            if self.chance(0.2) and kind == "window":
                s["duplicates"] = True
        elif kind == "session":
            s["retention_ms"] = self.pick([10, 100000])
        if kind not in ("lru", "versioned") and self.chance(0.3):
            s["type"] = "in_memory"
        if self.chance(0.4) and kind not in ("versioned", "lru") and not s.get("duplicates"):
            s["caching"] = True
        if self.chance(0.2):
            s["logging"] = False
        self.stores[s["name"]] = s
        return s

    def store_processor(self, key, value, store):
        """(processor, value type of what it forwards): one that this kind of store knows."""
        kind = store["kind"]
        p = {"store": store["name"]}
        lookups = [] if store.get("duplicates") else ["lookup", "lookup"]  # Kafka Streams finds the last one put only
        names = ["store_put"] + lookups + ["scan"] * (not self.null_keys)
        if kind in ("kv", "timestamped_kv", "lru"):
            names = ["dedup", "previous", "previous", "store_put", "store_delete", "lookup", "scan"]
            if value in NUMBERS:
                names += ["running_sum", "running_sum"]
            if kind != "timestamped_kv":
                names += ["put_if_absent"]
            if kind == "kv":
                names += ["buffer", "buffer"]
            if kind == "lru":
                names.remove("scan")
        elif kind == "versioned":
            names = ["store_put", "store_put", "lookup", "store_delete"]
        if not has_text(value):
            names = [n for n in names if n not in ("lookup", "scan")]
        p["name"] = self.pick(names)
        if p["name"] == "lookup" and kind == "versioned" and self.chance(0.6):
            p["as_of_minus"] = self.pick([0, 5, 100])
        if p["name"] == "scan":
            windows = kind in ("window", "timestamped_window")
            queries = ["fetch", "backward_fetch", "all", "backward_all", "fetch_all"] if windows else \
                (["find"] if store.get("caching") else ["fetch", "backward_fetch", "find"]) if kind == "session" else ["all", "reverse_all"]
            if key == "string":
                queries += ["fetch_range"] if windows or kind == "session" else ["range", "reverse_range", "prefix"]
            p["query"] = self.pick(queries)
            if "range" in p["query"] or p["query"] == "prefix":
                p["from"] = self.pick(["a", "b", "aa"])
                if p["query"] != "prefix":
                    p["to"] = self.pick(["b", "bb", "c"])
            if p["query"] in ("fetch", "backward_fetch", "fetch_all", "fetch_range", "find") :
                p.update(before_ms=self.pick([0, 10, 100]), after_ms=self.pick([0, 10]))
        if p["name"] == "buffer":
            p.update(interval_ms=self.pick([1, 10, 30]), clock=self.pick(["stream", "wall"]))
            if self.chance(0.5):
                p["clear"] = True
            if self.chance(0.2):
                p["cancel_after"] = 2
        return p, ("string" if p["name"] in ("lookup", "scan") else value)

    def plain_processor(self, key, value):
        """(processor, key type, value type)"""
        name = self.pick(["pass", "map", "shift_time", "show_headers", "fan_out", "meta", "tick"])
        p = {"name": name}
        if name == "map":
            k, v = self.pick(self.keys), self.value_type(value)
            p["key_fn"], p["value_fn"] = self.expr(key, value, k, "key"), self.expr(key, value, v)
            if p["key_fn"] and p["value_fn"]:  # a null tells no type: the runner keeps the one before
                return p, key if p["key_fn"] == "null" else k, value if p["value_fn"] == "null" else v
            return {"name": "pass"}, key, value
        if name == "shift_time":
            p["ms"] = self.pick([1, 50, 0])
        if name == "fan_out":
            p["n"] = 2
        if name == "tick":
            if key != "string" or value != "string":
                return {"name": "pass"}, key, value
            p.update(interval_ms=self.pick([5, 30]), clock=self.pick(["stream", "wall"]))
            if self.chance(0.3):
                p["cancel_after"] = 2
        if name in ("show_headers", "meta") or (name == "fan_out" and has_text(value)):
            return p, key, "string"
        return ({"name": "pass"} if name == "fan_out" else p), key, value
