"""A headless Chromium, driven over its debugging pipe: open a page, ask it, wait for it, take its picture.

The pipe (--remote-debugging-pipe) needs no port and no library: messages are JSON, each ended by a NUL byte, to the browser on
its descriptor 3 and from it on 4.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 100  # seconds that any wait may take: conditions come true sooner, whatever else the machine does
NAMES = ("chromium", "chromium-browser", "google-chrome")


class Failed(Exception):
    pass


def program():
    """The path of a Chromium; None: there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One browser with one tab."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="leat-page-")
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()
        words = [program(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.dir}", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb",
                 "--font-render-hinting=none", "about:blank"]

        def give_pipe():  # in the child: its 3 and 4, whatever numbers the ends have here
            a, b = os.dup(theirs_in), os.dup(theirs_out)
            spare = [os.dup(a) for _ in range(5)]  # 3 and 4 may be among them: copies lie higher
            a, b = spare[-1], os.dup(b)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.log = open(f"{self.dir}/log", "wb")
        self.run = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=give_pipe, close_fds=False,
                                    env={**os.environ, "HOME": self.dir})
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.bytes, self.errors, self.session = 0, b"", [], None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method, **params):
        """A command and its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            told = self.take(end, method)
            if told.get("id") == self.number:
                if "error" in told:
                    raise Failed(f"{method}: {told['error']['message']}")
                return told["result"]
            self.note(told)

    def take(self, end, what):
        while b"\0" not in self.bytes:
            ready, _, _ = select.select([self.back], [], [], max(0, end - time.monotonic()))
            more = os.read(self.back, 1 << 16) if ready else b""
            if not more:
                raise Failed(f"{what}: Chromium {'ended' if ready else 'gave no answer'}:\n{self.told()}")
            self.bytes += more
        message, _, self.bytes = self.bytes.partition(b"\0")
        return json.loads(message)

    def told(self):
        with open(f"{self.dir}/log", "rb") as f:
            return f.read()[-2000:].decode(errors="replace")

    def note(self, event):
        """Whatever the page complains about: errors that nobody caught, and refusals of its security policy."""
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(" ".join(str(a.get("description") or a.get("value")) for a in params["args"]))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["source"] == "security":
            self.errors.append(params["entry"]["text"])

    def ask(self, expression):
        """The value of a JavaScript expression; promises are waited for."""
        told = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            details = told["exceptionDetails"]
            raise Failed(f"{expression}: {details.get('exception', {}).get('description', details['text'])}")
        return told["result"].get("value")

    def wait(self, expression, what=None):
        """Until the expression is true."""
        end = time.monotonic() + PATIENCE
        while True:
            if self.ask(f"!!({expression})"):
                return
            if time.monotonic() > end:
                raise Failed(f"{what or expression}: not within {PATIENCE} s; the page shows:\n{self.ask('document.body.innerText')[:3000]}")
            time.sleep(0.05)

    def size(self, width, height, scale=1):
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 500)

    def colours(self, scheme):
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url):
        self.ask("window.before = true")
        self("Page.navigate", url=url)
        self.wait(f"!window.before && document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})", f"opening {url}")

    def type(self, text):
        self("Input.insertText", text=text)

    def press(self, key):
        code = {"Enter": 13, "Tab": 9}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        self("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path, whole=False):
        box = self("Page.getLayoutMetrics")["cssContentSize"] if whole else None
        clip = {"clip": {"x": 0, "y": 0, "width": box["width"], "height": box["height"], "scale": 1}} if whole else {}
        data = base64.b64decode(self("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **clip)["data"])
        with open(path, "wb") as f:
            f.write(data)
        return len(data)

    def close(self):
        self.run.kill()
        self.run.wait()
        os.close(self.to)
        os.close(self.back)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
