#!/usr/bin/env python3
"""The page needs no other file, is small, and lets nothing run or load but what stands in it.

usage: page.py            checks
       page.py --write    writes the hashes of its script and style into its security policy

What the API says must never become markup: the calls that could do so are not used.
"""
import base64
import hashlib
import os
import re
import sys

from files import ROOT, Findings, read, walk

FOLDER, BYTES_MAX = "runtime/query/page", 60000
PAGE = FOLDER + "/page.html"
MARKUP = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTMLUnsafe|DOMParser|createContextualFragment|eval)\b|new Function")
OUTSIDE = re.compile(r"\b(src|href|action)\s*=\s*[\"'](?!data:)|url\(|@import|https?://(?!www\.w3\.org/2000/svg)")
FORBIDDEN = re.compile(r"\sstyle=|\son[a-z]+=\"")


def assembled():
    """As cmake/embed.cmake makes it."""
    return re.sub(r"{{([a-z]+\.[a-z]+)}}", lambda m: read(f"{FOLDER}/{m.group(1)}").strip(), read(PAGE))


def digest(page, tag):
    [text] = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def main():
    found, page, source = Findings("lint/page"), assembled(), read(PAGE)
    made = source
    for tag in ("script", "style"):
        made, places = re.subn(rf"{tag}-src '[^']*'", f"{tag}-src {digest(page, tag)}", made)
        if places != 1:
            found.say(PAGE, f"its security policy has no {tag}-src")
    if made != source and "--write" in sys.argv:
        with open(os.path.join(ROOT, PAGE), "w", encoding="utf-8") as f:
            f.write(made)
    elif made != source:
        found.say(PAGE, "the hashes of its security policy are stale: tests/lint/page.py --write")
    for path in walk(FOLDER):
        if path != PAGE and f"{{{{{os.path.basename(path)}}}}}" not in source:
            found.say(path, "is no part of the page")
        for number, line in enumerate(read(path).splitlines(), 1):
            for pattern, why in ((MARKUP, "makes markup of a text"), (OUTSIDE, "something from outside"), (FORBIDDEN, "the policy forbids it")):
                if pattern.search(line):
                    found.say(f"{path}:{number}", f"{why}: {line.strip()[:80]}")
    size = len(page.encode())
    if size > BYTES_MAX:
        found.say(PAGE, f"{size} bytes; at most {BYTES_MAX}")
    found.end(f"{size} bytes")


main()
