#!/usr/bin/env python3
"""What exactly once costs: CPU per record beside at least once, and how short a commit interval may be.

usage: tests/bench/eos_cost.py [--port N] [--reps 3] [--workloads w1,w3] [--intervals 100,50,20,10,5]

Runs bench.py's cells one after another, all of them once before any of them again: alo with a commit each second, eos with each
interval. Prints a table of medians: CPU seconds per million records, records/s, and both against alo. Needs the release build and
what setup.sh needs; starts and stops a broker of its own.
"""
import argparse, json, os, shutil, statistics, subprocess, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--port", type=int, default=18692)
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--workloads", default="w1,w3")
    p.add_argument("--intervals", default="100,50,20,10,5")
    args = p.parse_args()
    folder = tempfile.mkdtemp(prefix="leat-eos-cost-")
    brokers = f"127.0.0.1:{args.port}"
    env = dict(os.environ, KAFKA_DATA=f"{folder}/kafka", KAFKA_PORT=str(args.port), KAFKA_HEAP="1g", BROKERS=brokers, BENCH_TMP=folder,
               RESULTS=f"{folder}/results", SETS=args.workloads.replace(",", " "))
    kafka = f"{HERE}/../kafka/kafka.sh"
    cells = [("alo", "1000"), *(("eos", ms) for ms in args.intervals.split(","))]
    try:
        subprocess.run([kafka, "format"], env=env, check=True)
        subprocess.run([kafka, "start"], env=env, check=True)
        subprocess.run([f"{HERE}/setup.sh"], env=env, check=True, stdout=subprocess.DEVNULL)
        for _ in range(args.reps):
            for w in args.workloads.split(","):
                for guarantee, ms in cells:
                    subprocess.run([f"{HERE}/bench.py", "run", "-e", "leat", "-w", w, "-g", guarantee, "--reps", "1", "-x", f"commit={ms}",
                                    "--tag", ms], env=env, check=True, stdout=subprocess.DEVNULL)
        runs = [json.loads(line) for line in open(f"{folder}/results")]
    finally:
        subprocess.run([kafka, "stop"], env=env)
        shutil.rmtree(folder, ignore_errors=True)
    print("| load | guarantee, commit every | CPU s/M (each run) | against alo | k rec/s | of alo's | foreign cores |\n|" + "---|" * 7)
    for w in args.workloads.split(","):
        base = None
        for guarantee, ms in cells:
            these = [r for r in runs if (r["workload"], r["guarantee"], r["tag"]) == (w, guarantee, ms)]
            well = [r for r in these if r["ok"] and r.get("rate") and r["reason"] == "done"]
            if not well:
                print(f"| {w} | {guarantee}, {ms} ms | no run of {len(these)} was right |" + " |" * 4)
                continue
            cpu, rate = (statistics.median(r[k] for r in well) for k in ("cpu_work_per_m", "rate"))
            base = base or (cpu, rate)
            each = ", ".join(f"{r['cpu_work_per_m']:.2f}" for r in well)
            print(f"| {w} | {guarantee}, {ms} ms | {cpu:.2f} ({each}) | {cpu / base[0] - 1:+.0%} | {rate / 1000:.0f} | {rate / base[1]:.0%} | "
                  f"{statistics.median(r['other_cores'] for r in well):.2f} |")


main()
