#!/usr/bin/env python3
"""Prometheus' own parser and linter (promtool check metrics) take /metrics of a running worker.

usage: metrics.py PAGE_WORKER
"""
import shutil
import subprocess
import sys
import time

from shop import Shop, need


def main():
    need("promtool", shutil.which("promtool"))
    shop = Shop(sys.argv[1])
    try:
        end = time.monotonic() + 100
        while shop.json("v1/tasks")["state"] != "RUNNING" and time.monotonic() < end:
            time.sleep(0.05)
        text = shop.get("metrics")
    finally:
        shop.close()
    told = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    bad = subprocess.run(["promtool", "check", "metrics"], input=text.replace("} ", "} x", 1), capture_output=True, text=True, timeout=60)
    print(f"promtool: {len(text.splitlines())} lines, status {told.returncode}\n{told.stdout}{told.stderr}")
    if told.returncode or 'state="RUNNING"' not in text:
        sys.exit(f"of:\n{text}")
    if bad.returncode == 0:
        sys.exit("promtool took a number that is none: it looks at nothing")


main()
