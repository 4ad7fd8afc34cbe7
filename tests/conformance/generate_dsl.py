"""tests/conformance/generate_dsl.py: random programs of the DSL: a method an operator, drawn by weight.

A step is drawn among those that fit what is in the pool, several deep; what nothing reads in the end goes to a topic.
"""
from generate_words import NUMBERS, PLAIN, Words, has_text, is_window


class Program(Words):
    # ---- sources ----

    def source_stream(self, key=None, value=None):
        key, value = key or self.pick(self.keys), value or self.pick(self.values)
        step = self.step("stream", key=key, value=value, timestamp=self.timestamp(value))
        wild = step.get("timestamp") is not None
        known = [t for t in self.topics if t.get("plain") and t["key"] == key and t["value"] == value]
        if known and self.chance(0.08) and not wild:
            step["topic"] = self.pick(known)["topic"]
        elif self.chance(0.05):
            prefix = self.fresh("many")
            step["pattern"] = prefix + "-.*"
            for end in ("x", "y"):
                self.topics.append(dict(topic=prefix + "-" + end, key=key, value=value, wild=wild))
        elif self.chance(0.08):
            step["topics"] = [self.new_topic(key, value, wild=wild) for _ in range(2)]
        else:
            step["topic"] = self.new_topic(key, value, wild=wild, plain=not wild)
        if self.chance(0.03):
            step["reset"] = self.pick(["earliest", "latest"])
        self.named(step, "src")
        return self.put("stream", step, key, value)

    def source_table(self, key=None, value=None, versioned=None):
        key, value = key or self.pick(self.keys), value or self.pick(self.values)
        step = self.step("table", topic=self.new_topic(key, value), key=key, value=value, store=self.dsl_store(p=0.5))
        if versioned:
            step["store"] = {"name": self.fresh("st"), "history_ms": self.pick([5, 30, 1000])}
        self.named(step, "src")
        return self.put("table", step, key, value, versioned="history_ms" in step.get("store", {}))

    def source_global(self, key=None, value=None):
        key, value = key or self.pick(self.keys), value or self.pick(self.values)
        store = self.dsl_store(versioned_ok=False, p=0.4)
        if store is not None:
            store.pop("logging", None)
            store.setdefault("name", self.fresh("st"))  # Kafka Streams refuses a global table's store without a name
        step = self.step("global_table", topic=self.new_topic(key, value), key=key, value=value, store=store)
        self.named(step, "src")
        return self.put("global", step, key, value)

    # ---- streams, one record at a time ----

    def derived_store(self, n):
        """Of a filter or map of a table. Kafka Streams forgets that a table is versioned behind a store without a name."""
        store = self.dsl_store(p=0.3)
        if store is not None and n.after_versions:
            store.setdefault("name", self.fresh("st"))
        return store

    def do_filter(self):
        n = self.some(self.pick(["stream", "stream", "table"]))
        if not n:
            return
        step = self.step(self.pick(["filter", "filter", "filter_not"]), fn=self.predicate(n.key, n.value))
        step["from"] = n.id
        if n.kind == "table":
            store = self.derived_store(n)
            if store is not None:
                step["store"] = store
        self.named(step)
        self.put(n.kind, step, n.key, n.value, n, windowed=n.windowed, versioned="history_ms" in step.get("store", {}))

    def do_select_key(self):
        n = self.some("stream")
        key = self.pick(self.keys)
        fn = n and self.expr(n.key, n.value, key)
        if not fn:
            return
        step = self.step("select_key", fn=fn, key=key)
        step["from"] = n.id
        self.named(step)
        self.put("stream", step, key, n.value, n)

    def do_map(self):
        n = self.some("stream")
        if not n:
            return
        key, value = self.pick(self.keys), self.value_type(n.value)
        kf, vf = self.expr(n.key, n.value, key, "key"), self.expr(n.key, n.value, value)
        if not kf or not vf:
            return
        step = self.step("map", key_fn=kf, value_fn=vf, key=key, value=value)
        step["from"] = n.id
        self.named(step)
        self.put("stream", step, key, value, n)

    def do_map_values(self):
        n = self.some(self.pick(["stream", "table"]))
        value = n and self.value_type(n.value)
        fn = n and self.expr(n.key, n.value, value)
        if not fn:
            return
        step = self.step("map_values", fn=fn, value=value)
        step["from"] = n.id
        if n.kind == "table":
            store = self.derived_store(n)
            if store is not None:
                step["store"] = store
        self.named(step)
        self.put(n.kind, step, n.key, value, n, windowed=n.windowed, versioned="history_ms" in step.get("store", {}))

    def do_flat_map(self):
        n = self.some("stream")
        if not n:
            return
        fn = self.flat(n.value)
        element = "string" if n.value == "string" else n.value
        if self.chance(0.5):
            step = self.step("flat_map_values", fn=fn, value=element)
            key, value = n.key, element
        else:
            key, value = self.pick(self.keys), self.value_type(element)
            kf, vf = self.expr(n.key, element, key, "key"), self.expr(n.key, element, value)
            if not kf or not vf:
                return
            step = self.step("flat_map", fn=fn, key_fn=kf, value_fn=vf, key=key, value=value)
        step["from"] = n.id
        self.named(step)
        self.put("stream", step, key, value, n)

    def do_peek(self):
        n = self.some("stream")
        if not n:
            return
        step = self.step(self.pick(["peek", "peek", "for_each"]), id=self.fresh("p"))
        step["from"] = n.id
        self.named(step)
        if step["op"] == "peek":
            self.put("stream", step, n.key, n.value, n)
        else:
            n.used = True

    def do_split(self):
        n = self.some("stream")
        if not n:
            return
        branches = []
        as_all = self.chance(self.naming)
        for _ in range(self.pick([1, 2, 2, 3])):
            b = {"id": self.fresh("b"), "when": self.predicate(n.key, n.value)}
            if self.chance(self.naming):
                b["as"] = "-" + self.fresh("br")
            branches.append(b)
        step = self.step("split", branches=branches)
        step["from"] = n.id
        if as_all:
            step["as"] = self.fresh("split")
        if self.chance(0.6):
            step["default"] = {"id": self.fresh("b")}
        for b in branches + ([step["default"]] if "default" in step else []):
            self.put("stream", {"id": b["id"]}, n.key, n.value, n)

    def do_merge(self):
        a = self.some("stream")
        b = a and self.some("stream", lambda m: m.key == a.key and m.value == a.value)
        if not b or (a is b and self.chance(0.8)):
            return
        step = self.step("merge")
        step["with"] = b.id
        step["from"] = a.id
        self.named(step)
        self.put("stream", step, a.key, a.value, a, b)

    def do_repartition(self):
        n = self.some("stream")
        if not n:
            return
        step = self.step("repartition")
        step["from"] = n.id
        if self.chance(0.05):
            step["partitions"] = 1  # the count of every topic in the drivers
        self.named(step, "rep")
        self.put("stream", step, n.key, n.value, n)

    def do_through(self):
        n = self.some("stream")
        if not n:
            return
        topic = self.fresh("through")
        self.topics.append(dict(topic=topic, key=n.key, value=n.value, inner=True))
        step = self.step("to", topic=topic)
        step["from"] = n.id
        self.named(step, "snk")
        n.used = True
        step = self.step(self.pick(["stream", "stream", "table"]), topic=topic, key=n.key, value=n.value)
        self.named(step, "src")
        self.put(step["op"], step, n.key, n.value)

    def do_to_table(self):
        n = self.some("stream")
        if not n:
            return
        step = self.step("to_table")
        step["from"] = n.id
        store = self.dsl_store()
        if store is not None:
            step["store"] = store
        self.named(step)
        self.put("table", step, n.key, n.value, n, versioned="history_ms" in (store or {}))

    # ---- processors ----

    def without_null_keys(self, n):
        """Most stores refuse a null key; one time in ten that is tried, with stores of a single row a key."""
        self.null_keys = self.chance(0.1)
        if self.null_keys:
            return n
        step = self.step("filter", fn="key|not_null")
        step["from"] = n.id
        return self.put("stream", step, n.key, n.value, n)

    def do_process(self):
        # topics may be merged behind what re-keys, and Kafka Streams moves them in front of a processor then
        n = self.some("stream", lambda n: n.depth == 0 or not self.merges())
        if not n:
            return
        if self.chance(0.3):
            p, key, value = self.plain_processor(n.key, n.value)
            if p["name"] == "meta" and n.after_table:
                return  # README.md, Deviations: what a cache sends on
            keeps = key == n.key and p["name"] not in ("map", "tick")
            step = self.step(self.pick(["process", "process_values"]) if keeps else "process", processor=p, value=value)
            if step["op"] == "process":
                step["key"] = key
        else:
            n = self.without_null_keys(n)
            # a null key asks leat's sessions for those of all keys: nothing to compare
            fit = [s for s in self.stores.values() if s["key"] == n.key and s["value"] == n.value]
            store = self.pick(fit) if fit and self.chance(0.6) else None
            if not store:
                store = self.make_store(n.key, n.value)
                self.step("state_store", store=store)
            p, value = self.store_processor(n.key, n.value, store)
            key = n.key
            keeps = p["name"] not in ("scan", "buffer")
            step = self.step(self.pick(["process", "process_values"]) if keeps else "process", processor=p, stores=[store["name"]], value=value)
            if step["op"] == "process":
                step["key"] = key
        step["from"] = n.id
        self.named(step)
        self.put("stream", step, key, value, n)

    def do_global_store(self):
        n = self.some("stream", lambda m: not is_window(m.key) and (m.depth == 0 or not self.merges()))
        if not n or n.value == "double":
            return
        value = self.pick(["string", "int64"])
        name = self.fresh("gs")
        kind = self.pick(["kv", "timestamped_kv"])
        self.step("global_store", store={"name": name, "kind": kind, "key": n.key, "value": value, "logging": False},
                  topic=self.new_topic(n.key, value, keyed=True), key=n.key, value=value, processor={"name": "store_put", "store": name})
        n = self.without_null_keys(n)
        step = self.step("process_values", processor={"name": "lookup", "store": name}, value="string")
        step["from"] = n.id
        self.put("stream", step, n.key, "string", n)

    def do_transform_values(self):
        n = self.some("table")
        if not n:
            return
        step = {"op": "transform_values"}
        step["from"] = n.id
        if self.chance(0.5):
            value = "string"
            fn = self.expr(n.key, n.value, "string")
            store = {"name": self.fresh("cs"), "kind": "kv", "key": n.key, "value": "int64"}
            self.step("state_store", store=store)
            step.update(count_store=store["name"], stores=[store["name"]])
        else:
            value = self.value_type(n.value)
            fn = self.expr(n.key, n.value, value)
        if not fn:
            return
        step.update(fn=fn, value=value)
        store = self.derived_store(n)
        if store is not None or "count_store" in step:
            step["store"] = store or {}
            if "count_store" in step:  # or Kafka Streams cannot look its rows up
                step["store"].setdefault("name", self.fresh("st"))
        self.steps.append(step)
        self.named(step)
        self.put("table", step, n.key, value, n, windowed=n.windowed, versioned="history_ms" in step.get("store", {}))

    # ---- folds ----

    def window(self):
        kind = self.pick(["tumbling", "hopping", "sliding", "session", "session", "unlimited"])
        grace = self.pick([0, 0, 3, 10, 50, 100000])
        if kind == "tumbling":
            return {"type": kind, "size": self.pick([1, 5, 10, 20]), "grace": grace}
        if kind == "hopping":
            size = self.pick([4, 10, 12])
            return {"type": kind, "size": size, "advance": self.rng.randint(1, size), "grace": grace}
        if kind == "sliding":
            return {"type": kind, "diff": self.pick([1, 4, 10]), "grace": grace}
        if kind == "session":
            return {"type": kind, "gap": self.pick([1, 3, 8]), "grace": grace}
        return {"type": kind, "start": self.pick([0, 10])}

    def windowed_key(self, key, w):
        if w["type"] == "session":
            return "session_windowed:" + key
        size = w.get("size") or w.get("diff") or 2**63 - 1
        return "time_windowed:%s:%d" % (key, size)

    def do_group(self):
        n = self.some(self.pick(["stream", "stream", "table"]))
        if not n:
            return
        if n.kind == "stream" and self.chance(0.5):
            step = self.step("group_by_key")
            key, value = n.key, n.value
        elif n.kind == "stream":
            key, value = self.pick(self.keys), n.value
            fn = self.expr(n.key, n.value, key)
            if not fn:
                return
            step = self.step("group_by", fn=fn, key=key)
        else:
            key, value = self.pick(self.keys), self.value_type(n.value)
            kf, vf = self.expr(n.key, n.value, key), self.expr(n.key, n.value, value)
            if not kf or not vf:
                return
            step = self.step("group_by", key_fn=kf, value_fn=vf, key=key, value=value)
        step["from"] = n.id
        self.named(step, "grp")
        return self.put("grouped_" + n.kind, step, key, value, n)

    def init(self, type):
        if self.chance(0.1):
            return None
        return {"string": self.pick(["", "i"]), "int64": self.pick([0, 5]), "int32": 0, "double": 0.5, "bytes": "00"}[type]

    def do_fold(self):
        g = self.some(self.pick(["grouped_stream", "grouped_stream", "grouped_table"]))
        if not g:
            g = self.do_group()
        if not g:
            return
        of_table = g.kind == "grouped_table"
        op = self.pick(["count", "reduce", "aggregate"])
        w = self.window() if not of_table and not is_window(g.key) and self.chance(0.5) else None
        step = {"op": op, "from": g.id}
        value = {"count": "int64", "reduce": g.value}.get(op) or self.value_type(g.value)
        if op != "count":
            fn = self.pair(value, value, g.value, fold=True)
            if not fn:
                return
            if of_table:
                step.update(add=fn, subtract=self.subtractor(fn))
            else:
                step["fn"] = fn
        if op == "aggregate":
            step.update(init=self.init(value), value=value)
            if w and w["type"] == "session":
                step["init"] = self.init(value) or {"string": "", "bytes": "00"}.get(value, 0)
                step["merge"] = self.pair(value, value, value) or "last"
        if w:
            step["window"] = w
            if self.chance(0.3) and w["type"] != "unlimited":
                step["emit"] = "close"
        store = self.dsl_store(window=w)
        if store is not None:
            step["store"] = store
        self.steps.append(step)
        self.named(step)
        key = self.windowed_key(g.key, w) if w else g.key
        self.put("table", step, key, value, g, windowed=w, versioned="history_ms" in (store or {}))

    def do_cogroup(self):
        first = self.some("grouped_stream") or self.do_group()
        if not first or first.kind != "grouped_stream":
            return
        value = self.pick(["string", "string", "int64"])
        parts = []
        for _ in range(self.pick([1, 2, 2, 3])):
            g = self.some("grouped_stream", lambda n: n.key == first.key) if parts else first
            if self.chance(0.5) and parts:
                s = self.source_stream(key=first.key) if not is_window(first.key) else None
                if s:
                    step = self.step("group_by_key")
                    step["from"] = s.id
                    g = self.put("grouped_stream", step, s.key, s.value, s)
            fn = self.pair(value, value, g.value, fold=True)
            if fn:
                parts.append({"from": g.id, "fn": fn})
                g.used = True
        if not parts:
            return
        w = self.window() if not is_window(first.key) and self.chance(0.4) else None
        step = self.step("cogroup", parts=parts, value=value)
        step["init"] = self.init(value)
        if w:
            step["window"] = w
            if w["type"] == "session":
                step["init"] = "" if value == "string" else 0
                step["merge"] = self.pair(value, value, value) or "last"
        store = self.dsl_store(window=w)
        if store is not None:
            step["store"] = store
        self.named(step)
        self.put("table", step, self.windowed_key(first.key, w) if w else first.key, value, first, windowed=w,
                 versioned="history_ms" in (store or {}))

    # ---- tables ----

    def do_to_stream(self):
        n = self.some("table")
        if not n:
            return
        step = self.step("to_stream")
        step["from"] = n.id
        key = n.key
        if self.chance(0.4 if is_window(n.key) else 0.1):
            key = self.pick(self.keys)
            fn = self.expr(n.key, n.value, key, "key")
            if fn:
                step.update(fn=fn, key=key)
            else:
                key = n.key
        self.named(step)
        self.put("stream", step, key, n.value, n)

    def do_suppress(self):
        n = self.some("table", lambda n: n.windowed) if self.chance(0.5) else self.some("table")
        if not n or (n.after_versions and not n.versioned):
            return
        step = self.step("suppress")
        step["from"] = n.id
        if (n.windowed and n.windowed["type"] != "unlimited" and self.chance(0.6)) or self.chance(0.02):
            step["until"] = "window_close"
            if self.chance(0.2):
                step.update(max_records=self.pick([2, 50]), when_full="shutdown")
        else:
            step.update(until="time_limit", ms=self.pick([0, 5, 20]))
            if self.chance(0.5):
                step["max_records"] = self.pick([0, 1, 3])
            if self.chance(0.3):
                step["max_bytes"] = self.pick([0, 80, 200])
            if ("max_bytes" in step or "max_records" in step) and self.chance(0.1):
                step["when_full"] = "shutdown"
        if self.chance(0.15):
            step["logging"] = False
        self.named(step, "sup")
        self.put("table", step, n.key, n.value, n)

    # ---- joins ----

    def join(self, left, right, value, key_of=None, **fields):
        fn = self.pair(value, left.value, right.value)
        if not fn:
            return None
        step = self.step("join", fn=fn, value=value, **fields)
        step["from"] = left.id
        step["with"] = right.id
        return step

    def do_join_streams(self):
        left = self.some("stream")
        if not left:
            return
        right = left if self.chance(0.15) else self.some("stream", lambda n: n.key == left.key)
        if right is left and self.chance(0.7) and not is_window(left.key):
            right = self.source_stream(key=left.key)
        span = self.pick([0, 1, 5, 20])
        w = {"before": span, "after": self.pick([span, span, 0, 7])}
        if self.chance(0.06):
            w["before"] = -self.pick([1, 3])
            w["after"] = self.pick([5, 10])
        if self.chance(0.6):
            w["grace"] = self.pick([0, 0, 5, 30, 1000])
        step = self.join(left, right, self.value_type("string"), kind=self.pick(["inner", "left", "outer"]), window=w)
        if not step:
            return
        if self.chance(0.2):
            step["store_name"] = self.fresh("js")
        if self.chance(0.15):
            step["store_type"] = "in_memory"
        if self.chance(0.1):
            step["logging"] = False
        self.named(step, "j")
        self.put("stream", step, left.key, step["value"], left, right)

    def table_of(self, key, test=lambda n: True):
        t = self.some("table", lambda n: n.key == key and test(n))
        if (not t or self.chance(0.2)) and not is_window(key):
            t = self.source_table(key=key)
        return t

    def do_join_table(self):
        left = self.some("stream")
        grace = self.pick([0, 5, 20, 100]) if self.chance(0.2) else None
        if not left:
            return
        kind = self.pick(["inner", "left"])
        if grace is not None:
            if is_window(left.key):
                return
            if kind == "left":
                step = self.step("filter", fn="key|not_null")
                step["from"] = left.id
                left = self.put("stream", step, left.key, left.value, left)
            right = self.source_table(key=left.key, versioned=True) if self.chance(0.9) else self.table_of(left.key)
            right_store = [s for s in self.steps if s.get("id") == right.id][0].get("store", {})
            if "history_ms" in right_store and self.chance(0.9):
                right_store["history_ms"] = grace + 10
        else:
            right = self.table_of(left.key)
        if not right:
            return
        step = self.join(left, right, self.value_type("string"), kind=kind, grace=grace)
        if not step:
            return
        self.named(step, "j")
        self.put("stream", step, left.key, step["value"], left, right)

    def do_join_global(self):
        left = self.some("stream")
        right = left and (self.some("global") if self.chance(0.5) else self.source_global())
        if not right:
            return
        fn = self.expr(left.key, left.value, right.key)
        if not fn:
            return
        value = left.value if self.merges() else self.value_type("string")
        step = self.join(left, right, value, kind=self.pick(["inner", "left"]), key_fn=fn)
        if not step:
            return
        self.named(step, "j")
        self.put("stream", step, left.key, value, left, right)

    def do_join_tables(self):
        left = self.some("table")
        right = left and self.table_of(left.key)
        if not right:
            return
        step = self.join(left, right, self.value_type("string"), kind=self.pick(["inner", "left", "outer"]))
        if not step:
            return
        store = self.dsl_store(p=0.4)
        if store is not None:
            step["store"] = store
        self.named(step, "j")
        windowed = left.windowed if left.windowed and right.windowed == left.windowed else None
        self.put("table", step, left.key, step["value"], left, right, windowed=windowed, versioned="history_ms" in (store or {}))

    def do_join_foreign(self):
        left = self.some("table")
        right = left and self.some("table", lambda n: n.key in PLAIN and self.convert(left.value, n.key) is not None)
        if left and (not right or self.chance(0.4)):
            right = self.source_table(key=self.pick(self.keys))
        if not right:
            return
        fn = self.expr(left.key, left.value, right.key)
        if not fn:
            return
        step = self.join(left, right, self.value_type("string"), kind=self.pick(["inner", "left"]), foreign_key=fn)
        if not step:
            return
        store = self.dsl_store(p=0.4)
        if store is not None:
            step["store"] = store
        self.named(step, "fk")
        self.put("table", step, left.key, step["value"], left, right, versioned="history_ms" in (store or {}))

    # ---- the end of it ----

    def out(self, n):
        if n.kind == "table":
            step = self.step("to_stream")
            step["from"] = n.id
            n = self.put("stream", step, n.key, n.value, n)
        if n.kind != "stream":
            return
        if self.chance(0.08) and has_text(n.key):
            step = self.step("to", topic_fn="key|text|length|mod:2|text|prepend:%s-" % self.fresh("dyn"))
        else:
            step = self.step("to", topic=self.fresh("out"))
        step["from"] = n.id
        self.named(step, "snk")

    DSL = [("filter", 4), ("select_key", 3), ("map", 3), ("map_values", 4), ("flat_map", 3), ("peek", 1), ("split", 2), ("merge", 3),
           ("repartition", 2), ("through", 1), ("to_table", 3), ("process", 3), ("global_store", 1), ("transform_values", 2), ("group", 2),
           ("fold", 9), ("cogroup", 3), ("to_stream", 4), ("suppress", 4), ("join_streams", 5), ("join_table", 4), ("join_global", 2),
           ("join_tables", 4), ("join_foreign", 4)]

    def grow(self):
        for _ in range(self.pick([1, 1, 2, 2, 3])):
            self.pick([self.source_stream, self.source_stream, self.source_table])()
        names = [n for n, _ in self.DSL]
        weights = [w for _, w in self.DSL]
        want = self.rng.randint(2, 9)
        for _ in range(40):
            if want <= 0:
                break
            before = len(self.steps)
            getattr(self, "do_" + self.rng.choices(names, weights)[0])()
            want -= len(self.steps) > before
        for n in [n for n in self.nodes if n.kind in ("stream", "table")]:
            if not n.used and self.chance(0.95) or (n.used and self.chance(0.08)):
                self.out(n)
