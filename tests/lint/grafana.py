#!/usr/bin/env python3
"""The Grafana dashboard asks only for metrics that docs/METRICS.md names, and for each as what it is.

A counter stands in rate() or increase(), a gauge in neither; panels do not overlap. Metrics that no panel shows are only told.
"""
import json
import re

from files import Findings, read

FILE = "docs/grafana/leat.json"


def metrics():
    """Name in Prometheus -> type."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (counter|gauge) \|", read("docs/METRICS.md"), re.M)
    return {"leat_state": "gauge", **{"leat_" + name.replace("-", "_"): kind for name, kind in rows}}


def check_expression(found, title, expression, known):
    for m in re.finditer(r"\bleat_\w+", expression):
        name, kind = m.group(), known.get(m.group())
        counted = re.search(r"\b(rate|increase)\($", expression[:m.start()]) is not None
        if kind is None:
            found.say(FILE, f"{title}: docs/METRICS.md has no {name}")
        elif counted != (kind == "counter"):
            found.say(FILE, f"{title}: {name} is a {kind}: {'no' if counted else 'it wants'} rate() or increase()")
        yield name


def main():
    found, known, used = Findings("lint/grafana"), metrics(), set()
    dashboard = json.loads(read(FILE))
    places = {}
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            used.update(check_expression(found, panel["title"], target["expr"], known))
        at = panel["gridPos"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if places.setdefault(cell, panel["title"]) != panel["title"]:
                found.say(FILE, f"{panel['title']} lies over {places[cell]}")
                break
    for variable in dashboard["templating"]["list"]:
        if isinstance(variable["query"], dict):
            list(check_expression(found, variable["name"], variable["query"]["query"], known))
    left = sorted(set(known) - used)
    found.end(f"{len(dashboard['panels'])} panels, in none of them: {', '.join(left) or 'nothing'}")


main()
