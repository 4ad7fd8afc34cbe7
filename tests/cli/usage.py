#!/usr/bin/env python3
"""What leat says without a broker: help, versions, wrong usage (exit status 2), nobody there (4). usage: usage.py LEAT"""
import os
import subprocess
import sys
import tempfile
import time

LEAT = sys.argv[1]
NOBODY = "127.0.0.1:9"  # the discard port: nobody listens there
ENV = {k: v for k, v in os.environ.items() if k not in ("LEAT_CONFIG", "NO_COLOR")}
failures = []


def leat(*words, env=None):
    return subprocess.run([LEAT, *words], capture_output=True, text=True, timeout=60, env={**ENV, **(env or {})},
                          stdin=subprocess.DEVNULL)


def expect(status, words, *texts, env=None, out=False):
    done = leat(*words, env=env)
    where = done.stdout if out else done.stderr
    if done.returncode != status or any(t not in where for t in texts):
        failures.append(f"leat {' '.join(words)}: status {done.returncode}, wanted {status} and {texts}\n"
                        f"{done.stdout}{done.stderr}")
    return done


def main():
    at = ["--bootstrap-server", NOBODY]
    expect(2, [], "usage: leat VERB")
    expect(0, ["--help"], "Exit status", out=True)
    expect(0, ["--version"], "leat ", "librdkafka", out=True)
    expect(0, ["help", "topics"], "topics create", out=True)
    for verb in ("topics list", "topics create", "topics describe", "topics delete", "produce", "consume", "groups list",
                 "groups describe", "reset", "describe", "query", "top", "completion", "help"):
        one = expect(0, ["help", *verb.split()], f"leat {verb}: ", out=True)
        other = expect(0, [*verb.split(), "--help"], out=True)
        if one.stdout != other.stdout:
            failures.append(f"help {verb} and {verb} --help differ")
    expect(0, ["topics", "--help"], "topics create", out=True)
    expect(2, ["topics"], "usage: leat topics VERB")
    expect(2, ["topcs"], "there is no 'leat topcs'")
    expect(2, ["topics", "lst"], "did you mean leat topics list?")
    expect(2, ["help", "nix"], "there is no verb 'nix'")
    expect(2, ["topics", "list", "--bootstrap-servr", "x"], "did you mean --bootstrap-server")
    expect(2, ["topics", "list", "-x"], "two dashes")
    expect(2, ["topics", "list", "--json=yes", *at], "--json takes no value")
    expect(2, ["topics", "list", "--bootstrap-server"], "--bootstrap-server needs HOST:PORT")
    expect(2, ["topics", "list"], "say where Kafka is", "LEAT_CONFIG")
    expect(2, ["topics", "list", "--bootstrap-server", "embedded:"], "inside a program")
    expect(2, ["topics", "list", *at, *at], "given twice")
    expect(2, ["topics", "list", *at, "--timeout", "0"], "--timeout takes 1ms to 1h")
    expect(2, ["topics", "list", *at, "--timeout", "soon"], "not 'soon'")
    expect(2, ["topics", "list", *at, "--color", "blue"], "auto always never")
    expect(2, ["topics", "create", *at], "needs --topic")
    expect(2, ["topics", "create", "a", *at, "--partitions", "0"], "from 1 to")
    expect(2, ["topics", "create", "a", *at, "--config", "=x"], "NAME=VALUE")
    expect(2, ["produce", *at], "needs --topic")
    expect(2, ["produce", "t", *at, "--acks", "5"], "all -1 1 0")
    expect(2, ["produce", "t", *at, "--tombstone"], "--key")
    expect(2, ["produce", "t", *at, "--value", "v", "--file", "f"], "do not go together")
    expect(2, ["produce", "t", "u", *at], "given twice")
    expect(2, ["produce", "t", *at, "--header", "x"], "NAME=VALUE")
    expect(2, ["produce", "t", *at, "--key-format", "int"], "int32", "windowed:FORMAT")
    expect(2, ["consume", *at], "needs --topic")
    expect(2, ["consume", "t", *at, "--offset", "x"], "--offset takes")
    expect(2, ["consume", "t", *at, "--partition", "a"], "--partition takes")
    expect(2, ["consume", "t", *at, "--columns", "key,valeu"], "not 'valeu'")
    expect(2, ["consume", "t", *at, "--from-time", "2026-02-30"], "not '2026-02-30'")
    expect(2, ["consume", "t", *at, "--group", "g", "--offset", "1"], "do not go together")
    expect(2, ["groups", "describe", *at], "needs --group")
    expect(2, ["reset", *at], "needs --application-id")
    expect(2, ["reset", "a", *at, "--to-latest"], "--input-topics")
    expect(2, ["reset", "a", *at, "--input-topics", "t", "--to-latest", "--to-earliest"], "do not go together")
    expect(2, ["completion", "tcsh"], "bash, zsh or fish")

    # Properties: the rules of every leat program, and no secret in an error.
    expect(2, ["topics", "list", *at, "--set", "bootstrap"], "NAME=VALUE")
    expect(2, ["topics", "list", *at, "--set", "securty.protocol=SSL"], "did you mean security.protocol?")
    expect(2, ["topics", "list", *at, "--config", "/no/such/file"], "/no/such/file")
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/client.properties"
        with open(file, "w") as f:
            f.write(f"bootstrap.servers={NOBODY}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
                    "sasl.username=me\nsasl.password=${env:LEAT_TEST_SECRET}\n")
        done = expect(2, ["topics", "list", "--config", file], "LEAT_TEST_SECRET", f"{file}:5")
        secret = {"LEAT_TEST_SECRET": "hush-hush"}
        for words in (["--config", file], ["--command-config", file], ["--set", "client.id=x", "--config", file]):
            done = expect(4, ["topics", "list", "--timeout", "5s", *words], NOBODY, env=secret)
            if "hush" in done.stdout + done.stderr:
                failures.append("a secret was shown")
        expect(4, ["topics", "list", "--timeout", "5s"], NOBODY, env={**secret, "LEAT_CONFIG": file})
        expect(4, ["topics", "--list", "--timeout", "5s", "--config", file], NOBODY, env=secret)
        expect(4, ["topics", "create", "x", "--timeout", "5s", "--config", file], NOBODY, env=secret)

    began = time.monotonic()
    for words in (["topics", "list"], ["topics", "delete", "x"], ["produce", "t", "--value", "v"], ["consume", "t"],
                  ["groups", "list"], ["groups", "describe", "g"], ["reset", "a"]):
        expect(4, [*words, *at, "--timeout", "1s"], "is Kafka running there?")
    if time.monotonic() - began > 40:
        failures.append("a broker that is down takes too long")

    if failures:
        print("\n\n".join(failures), file=sys.stderr)
        sys.exit(1)


main()
