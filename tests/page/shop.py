"""The workers of page_worker.c, run and told what to go through; and what this machine lacks."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

TOKEN = "open-sesame"  # page_worker.c knows it


def need(what, there):
    """Ends a test that cannot run here: a failure where CI=true."""
    if there:
        return
    print(f"{os.path.basename(sys.argv[0])}: NO {what} HERE (tools/setup --tests installs it): this test did NOT run", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


class Shop:
    def __init__(self, program):
        self.dir = tempfile.mkdtemp(prefix="leat-shop-")
        self.run = subprocess.Popen([program, self.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.started()

    def tell(self, word):
        self.run.stdin.write(word + "\n")
        self.run.stdin.flush()

    def started(self):
        line = self.run.stdout.readline()
        if not line.startswith("started http"):
            raise RuntimeError(f"page_worker said {line!r}")
        return line.split()[1]

    def get(self, path):
        request = urllib.request.Request(self.first + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def status(self, path):
        """Of an answer that is a refusal."""
        try:
            self.get(path)
        except urllib.error.HTTPError as refused:
            return refused.code
        return 200

    def json(self, path):
        return json.loads(self.get(path))

    def kill(self):
        self.run.kill()
        self.run.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
