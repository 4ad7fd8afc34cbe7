#!/usr/bin/env python3
"""Words that have no place in what is finished, paths of somebody's machine, and sizes.

Sizes are only reported: files of more than 800 lines are worth a talk (CONTRIBUTING.md).
"""
import re

from files import Findings, read, walk

TEXT = (".c", ".h", ".cpp", ".py", ".sh", ".md", ".txt", ".cmake", ".in", ".json", ".supp")
FORBIDDEN = [
    (re.compile(r"\bTODO(?!\(\d+\))"), "TODO without the number of an issue: TODO(12)"),
    (re.compile(r"\b(FIXME|XXX|HACK)\b"), "say what is wrong in an issue"),
    (re.compile(r"\b(stub|placeholder|lorem ipsum)s?\b", re.I), "what is there works; say what it is"),
    (re.compile(r"(?<![\w.])/(home|Users|root|work)/\w"), "a path of one machine"),
]
TALK_LINES = 800


def main():
    found, files, long_ones = Findings("lint/words"), 0, []
    for path in walk():
        named = path.startswith("tests/lint/")  # this folder has to name them
        if not path.endswith(TEXT) and "." in path.split("/")[-1] or path == "LICENSE":
            continue
        files += 1
        lines = read(path).splitlines()
        if path.endswith((".c", ".h")) and len(lines) > TALK_LINES:
            long_ones.append((len(lines), path))
        for number, line in enumerate(lines, 1):
            for pattern, why in [] if named else FORBIDDEN:
                if pattern.search(line):
                    found.say(f"{path}:{number}", f"{why}: {line.strip()[:80]}")
            if line != line.rstrip() and not path.endswith((".md", ".supp")):
                found.say(f"{path}:{number}", "blanks at the end of the line")
    for count, path in sorted(long_ones, reverse=True):
        print(f"{path}: {count} lines")
    found.end(f"{files} files, {len(long_ones)} of more than {TALK_LINES} lines")


main()
