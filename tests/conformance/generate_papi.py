"""tests/conformance/generate_papi.py: random topologies of the Processor API.

Sources, processors with stores of every kind, sinks: a graph that grows downwards. Shares the vocabulary of functions and
stores with generate_dsl.py.
"""
from generate_words import Node, Words


class Topology(Words):
    def grow(self):
        self.linear = self.chance(0.3)  # then each node has one child, and headers may be appended
        ends = [self.source() for _ in range(1 if self.linear else self.pick([1, 1, 2]))]
        if self.chance(0.15):
            self.filled_store()
        for _ in range(self.rng.randint(1, 5)):
            parent = self.pick(ends)
            if self.linear or self.chance(0.7):
                ends.remove(parent)
            ends.append(self.processor(parent))
        for node in ends:
            self.sink(node)

    def source(self):
        key, value = self.pick(self.keys), self.pick(self.values)
        timestamp = self.timestamp(value)
        topic = self.new_topic(key, value, wild=timestamp is not None)
        name = self.fresh("source")
        self.step("add_source", name=name, topic=topic, key=key, value=value, timestamp=timestamp)
        return Node("node", name, key, value)

    def filled_store(self):
        key, value = self.pick(self.keys), "string"
        store = {"name": self.fresh("gs"), "kind": self.pick(["kv", "timestamped_kv"]), "key": key, "value": value, "logging": False}
        op = self.pick(["add_global_store", "add_read_only_store"])
        self.step(op, store=store, source=self.fresh("gsource"), topic=self.new_topic(key, value, keyed=True), key=key, value=value,
                  name=self.fresh("gproc"), processor={"name": "store_put", "store": store["name"]})
        self.global_store = store, op

    def add(self, parent, processor, key, value, stores=()):
        name = self.fresh("proc")
        self.step("add_processor", name=name, processor=processor, parents=[parent.id])
        for store in stores:
            self.step("connect", processor=name, stores=[store])
        return Node("node", name, key, value)

    def processor(self, parent):
        key, value = parent.key, parent.value
        if getattr(self, "global_store", None) and self.global_store[0]["key"] == key and self.chance(0.5) and value != "double":
            store, op = self.global_store
            return self.add(parent, {"name": "lookup", "store": store["name"], "key_fn": "key"}, key, "string",
                            [store["name"]] if op == "add_read_only_store" else [])
        if self.linear and self.chance(0.4):
            header = {"name": self.pick(["add_header", "drop_header"]), "header": self.pick("hg")}
            if header["name"] == "add_header":
                header["value"] = "v"
            return self.add(parent, header, key, value)
        if self.chance(0.35):
            p, key, value = self.plain_processor(key, value)
            return self.add(parent, p, key, value)
        self.null_keys = not self.chance(0.8)  # most stores refuse them
        if not self.null_keys:
            kf = {"string": "key|or_else:k"}.get(key)
            self.null_keys = not kf
            if kf:
                parent = self.add(parent, {"name": "map", "key_fn": kf, "value_fn": "value"}, key, value)
        fit = [s for s in self.stores.values() if s["key"] == key and s["value"] == value]
        if fit and self.chance(0.6):
            store = self.pick(fit)
            p, out = self.store_processor(key, value, store)
            return self.add(parent, p, key, out, [store["name"]])
        store = self.make_store(key, value)
        p, out = self.store_processor(key, value, store)
        node = self.add(parent, p, key, out)
        self.step("add_state_store", store=store, processors=[node.id])
        return node

    def sink(self, node):
        step = {"name": self.fresh("sink"), "topic": self.fresh("out"), "key": node.key, "value": node.value, "parents": [node.id]}
        if self.chance(0.1) and node.key == "string":
            del step["topic"]
            step["topic_fn"] = "key|or_else:k|length|text|prepend:dyn-"
        self.step("add_sink", **step)
