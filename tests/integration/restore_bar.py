#!/usr/bin/env python3
"""A program of leat_main() restores: on a terminal a bar below the log, elsewhere lines of it. usage: restore_bar.py PROGRAM"""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

LIMIT_S = 90
KEYS = 60000
PROGRAM = sys.argv[1]


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


class Reader:
    def __init__(self, end):
        self.end, self.seen = end, b""

    def until(self, pattern):
        limit = time.monotonic() + LIMIT_S
        while not (found := re.search(pattern, self.seen)):
            if time.monotonic() > limit:
                fail(f"{pattern!r} was not shown in {LIMIT_S} s: {self.seen[-3000:]!r}")
            if select.select([self.end], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.end, 65536)
                except OSError:
                    fail(f"the program ended: {self.seen[-3000:]!r}")
        self.seen = self.seen[found.end():]
        return found


def main():
    folder = tempfile.mkdtemp(prefix="leat-restore-bar-")
    log, state, fast = f"{folder}/log", f"{folder}/state", f"{folder}/fast"
    words = [PROGRAM, "--fast", fast, "--state-dir", state, "--set", f"bootstrap.servers=embedded:{log}"]
    subprocess.run([*words, "--embedded"], input="".join(f"k{i}\tx\n" for i in range(KEYS)), text=True, check=True, timeout=LIMIT_S,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # A terminal: the bar moves on, lines of the log take its place and it comes back below, and at the end it is gone.
    shutil.rmtree(state)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    run = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = Reader(ours)
    bar = rb"\r\[[#.]{20}\] +(\d+) %  1 of 1 tasks restore: \d+ of \d+ records, \d+/s"
    first = int(shown.until(bar).group(1))
    while int(shown.until(bar).group(1)) <= first:
        pass
    open(fast, "w").close()
    shown.until(rb"\r\x1b\[K20\d\d-[^\r]* restore: restored 60000 records of counts")
    run.send_signal(signal.SIGINT)
    try:  # Linux: reading fails when the other end is closed
        while True:
            shown.seen += os.read(ours, 65536)
    except OSError:
        pass
    if run.wait(LIMIT_S) != 0 or not shown.seen.endswith(b"\r\x1b[K"):
        fail(f"status {run.returncode}; at the end is shown {shown.seen[-1000:]!r}")
    os.close(ours)

    # A pipe: lines every ten seconds, and no bar.
    os.remove(fast)
    shutil.rmtree(state)
    run = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lines = Reader(run.stderr.fileno())
    lines.until(rb" INFO  restore: 1 of 1 tasks restore their state: \d+ of \d+ records left, \d+/s.*\n")
    open(fast, "w").close()
    lines.until(rb"restored 60000 records of counts")
    run.send_signal(signal.SIGINT)
    rest = run.communicate(timeout=LIMIT_S)[1]
    if run.returncode != 0 or b"\r" in lines.seen + rest:
        fail(f"status {run.returncode}; in a pipe is written {(lines.seen + rest)[-1000:]!r}")
    shutil.rmtree(folder)


main()
