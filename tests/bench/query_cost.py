#!/usr/bin/env python3
"""What point queries over HTTP cost a running stream, and how long they take.

usage: tests/bench/query_cost.py [--port N] [--copies 12] [--rates 0,10000,0] [--seconds 15] [--connections 16] [--guarantee alo]

Starts a broker of its own, loads w3's input several times over, and for each rate runs w3 with leat's HTTP server from the start:
after it has warmed up, h2load asks for random keys at that rate for some seconds. Prints the stream's records/s and the CPU that
worker and load tool took meanwhile, and the queries' times. Needs the release build, gcc and h2load (Debian: nghttp2-client).
"""
import argparse, os, random, shutil, subprocess, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def busy():
    """CPU seconds of the whole machine, idle and waiting left out."""
    f = [int(x) for x in open("/proc/stat").readline().split()[1:]]
    return (sum(f[:8]) - f[3] - f[4]) / TICKS


def records(http):
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=30) as r:
        return sum(float(line.split()[-1]) for line in r.read().decode().splitlines() if line.startswith("leat_records_total{"))


def load(http, folder, rate, seconds, connections):
    """Times of all queries in ms, sorted, and their CPU."""
    keys = [f"/v1/stores/counts/keys/k{random.randrange(1000000):015d}" for _ in range(20000)]
    with open(f"{folder}/keys", "w") as f:
        f.writelines(f"http://127.0.0.1:{http}{k}\n" for k in keys)
    log = f"{folder}/times"
    if os.path.exists(log):
        os.remove(log)
    before = os.times()
    subprocess.run(["h2load", "--h1", "-t1", f"-c{connections}", f"--rps={rate / connections:g}", f"-D{seconds}", "-i", f"{folder}/keys",
                    f"--log-file={log}"], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    rows = [line.split() for line in open(log)]
    assert all(r[1] in ("200", "404") for r in rows), {r[1] for r in rows}
    return sorted(int(r[2]) / 1000 for r in rows), sum(after[2:4]) - sum(before[2:4])


def run(args, env, folder, n, rate):
    http = args.port + 5
    state = f"{folder}/state-{n}"
    subprocess.run([f"{env['BENCH_BIN']}/gen", "create", f"out-w3-{n}", "4"], env=env, check=True)
    p = subprocess.Popen([f"{env['BENCH_BIN']}/leat", "workload=w3", f"guarantee={args.guarantee}", f"app=query-cost-{n}",
                          f"brokers=127.0.0.1:{args.port}", f"state={state}", "threads=1", "in=in-w3", f"out=out-w3-{n}",
                          f"leat.http.listen={http}", f"leat.http.connections={args.connections + 8}"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                if records(http) > 500000:
                    break
            except OSError:
                pass
            time.sleep(0.1)
        first, since, cpu, all_cpu = records(http), time.time(), cpu_of(p.pid), busy()
        times, tool = load(http, folder, rate, args.seconds, args.connections) if rate else ([], time.sleep(args.seconds) or 0)
        last, took = records(http), time.time() - since
        return dict(rate=rate, records=(last - first) / took, worker=(cpu_of(p.pid) - cpu) / took, tool=tool / took,
                    machine=(busy() - all_cpu) / took, times=times, queries=len(times) / took)
    finally:
        p.terminate()
        p.wait()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--port", type=int, default=18792)
    p.add_argument("--copies", type=int, default=12)
    p.add_argument("--rates", default="0,10000,0,10000")
    p.add_argument("--seconds", type=int, default=15)
    p.add_argument("--connections", type=int, default=16)
    p.add_argument("--guarantee", default="alo")
    args = p.parse_args()
    folder = tempfile.mkdtemp(prefix="leat-query-cost-")
    env = dict(os.environ, KAFKA_DATA=f"{folder}/kafka", KAFKA_PORT=str(args.port), BROKERS=f"127.0.0.1:{args.port}",
               BENCH_TMP=folder, BENCH_BIN=f"{folder}/bin", SETS="w3")
    kafka = f"{HERE}/../kafka/kafka.sh"
    try:
        subprocess.run([kafka, "format"], env=env, check=True)
        subprocess.run([kafka, "start"], env=env, check=True)
        subprocess.run([f"{HERE}/setup.sh"], env=env, check=True, stdout=subprocess.DEVNULL)
        for _ in range(args.copies - 1):
            subprocess.run([f"{env['BENCH_BIN']}/gen", "load", "w3", "in-w3"], env=env, check=True, stdout=subprocess.DEVNULL)
        print("| queries/s | k rec/s | worker, cores | load tool, cores | machine, cores | p50 ms | p99 ms | p99.9 ms |\n|" + "---|" * 8)
        for n, rate in enumerate(int(r) for r in args.rates.split(",")):
            r = run(args, env, folder, n, rate)
            at = lambda q: f"{r['times'][int(q * (len(r['times']) - 1))]:.2f}" if r["times"] else ""
            print(f"| {r['queries']:.0f} | {r['records'] / 1000:.0f} | {r['worker']:.2f} | {r['tool']:.2f} | {r['machine']:.2f} | "
                  f"{at(.5)} | {at(.99)} | {at(.999)} |", flush=True)
    finally:
        subprocess.run([kafka, "stop"], env=env)
        shutil.rmtree(folder, ignore_errors=True)


main()
