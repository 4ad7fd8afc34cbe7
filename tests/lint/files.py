"""What the lint tests share: the files of the project, and how findings are told."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = {".git", "build", "scenarios", "formats", "__pycache__"}


def walk(*folders):
    """Paths under the folders, relative to the root, sorted; nothing that is built or recorded."""
    for folder in folders or ("",):
        for at, folders_in, names in os.walk(os.path.join(ROOT, folder)):
            folders_in[:] = sorted(n for n in folders_in if n not in SKIPPED)
            for name in sorted(names):
                yield os.path.relpath(os.path.join(at, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read()


class Findings:
    def __init__(self, name):
        self.name, self.count = name, 0

    def say(self, where, text):
        self.count += 1
        print(f"{where}: {text}", file=sys.stderr)

    def end(self, summary):
        print(f"{self.name}: {summary}, {self.count} findings")
        sys.exit(1 if self.count else 0)
