# SPDX-License-Identifier: Apache-2.0
"""Opens the HTML report in a browser and uses it.

page_test.py REPORTS_RENDER RECORD [SCREENSHOT_DIR]

Only the standard library: the DevTools protocol over two pipes, one JSON message per NUL byte. With
SCREENSHOT_DIR, pictures for a person to look at are written too. Exit code 77: there is no browser.
"""

import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 60
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe",
]


class Browser:
    """A Chromium of our own; `call` sends a command, `events` holds what came meanwhile."""

    def __init__(self, program, profile):
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        # Above 20, the descriptors to duplicate cannot be the ones to duplicate to.
        commands = fcntl.fcntl(to_child, fcntl.F_DUPFD_CLOEXEC, 20)
        answers = fcntl.fcntl(from_child, fcntl.F_DUPFD_CLOEXEC, 20)

        def pipes():  # the browser reads commands from 3 and answers on 4
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], preexec_fn=pipes,
            close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        for fd in [to_child, from_child, commands, answers]:
            os.close(fd)
        self._buffer = b""
        self._id = 0
        self.session = None
        self.events = []

    def open_page(self):
        target = self.call("Target.createTarget", {"url": "about:blank"}, page=False)["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True},
                                 page=False)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"]:
            self.call(f"{domain}.enable")

    def _receive(self, until):
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._in], [], [], left)[0]:
                raise TimeoutError("the browser did not answer")
            data = os.read(self._in, 1 << 20)
            if not data:
                raise EOFError("the browser ended")
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, params=None, page=True):
        self._id += 1
        message = {"id": self._id, "method": method, "params": params or {}}
        if page:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data):]
        until = time.monotonic() + DEADLINE_S
        while True:
            answer = self._receive(until)
            if answer.get("id") == self._id:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        until = time.monotonic() + DEADLINE_S
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self._receive(until))

    def navigate(self, url):
        self.events.clear()
        self.call("Page.navigate", {"url": url})
        self.wait_for("Page.loadEventFired")

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", {
            "expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def key(self, key, text=None):
        down = {"type": "keyDown", "key": key}
        if text:
            down["text"] = text
        self.call("Input.dispatchKeyEvent", down)
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", "key": key})

    def screenshot(self, path, width, height=None, scheme="light"):
        self.call("Emulation.setEmulatedMedia",
                  {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.call("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height or 900, "deviceScaleFactor": 1,
                   "mobile": False})
        picture = self.call("Page.captureScreenshot",
                            {"format": "png", "captureBeyondViewport": height is None})
        pathlib.Path(path).write_bytes(base64.b64decode(picture["data"]))

    def problems(self):
        """Whatever a console would show in red, and requests for anything but files of ours."""
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(f"exception: {params['exceptionDetails']}")
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
                found.append(f"console: {params}")
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"log: {params['entry']}")
        return found

    def requests(self):
        return [e["params"]["request"]["url"] for e in self.events
                if e.get("method") == "Network.requestWillBeSent"]

    def close(self):
        try:
            self.call("Browser.close", page=False)
            self._process.wait(10)
        except (OSError, EOFError, TimeoutError, RuntimeError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


SHOWN = """Array.from(document.querySelectorAll('.row')).filter(e => e.checkVisibility())
           .map(e => e.dataset.outcome)"""
CHECK = "split.used-length"


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, expected {wanted!r}")
    print(f"ok   {what}")


def expect_true(what, value):
    expect(what, bool(value), True)


def test_load(browser, url):
    browser.navigate(url)
    expect("no console errors", browser.problems(), [])
    others = [u for u in browser.requests() if u != url and not u.startswith("data:")]
    expect("no request but for the file itself", others, [])
    expect_true("the page itself was requested", url in browser.requests())


def test_filters(browser, run):
    outcomes = [r["outcome"] for r in run["results"]]
    expect("all results are there", browser.evaluate(SHOWN), outcomes)
    browser.evaluate("document.querySelector('[data-filter=fail]').click()")
    expect("a filter hides the other rows", browser.evaluate(SHOWN),
           ["fail"] * outcomes.count("fail"))
    browser.evaluate("document.querySelector('[data-filter=crash]').click()")
    expect("filters add up", sorted(browser.evaluate(SHOWN)),
           sorted(o for o in outcomes if o in ("fail", "crash")))
    expect("the count is told", browser.evaluate("document.getElementById('_shown').textContent"),
           f"{outcomes.count('fail') + outcomes.count('crash')} of {len(outcomes)}")
    browser.key("Escape")
    expect("Escape clears the filters", len(browser.evaluate(SHOWN)), len(outcomes))
    browser.evaluate("document.querySelector('.cell[data-clause=\"2.4\"]').click()")
    expect("a cell of the strip filters its clause", len(browser.evaluate(SHOWN)),
           sum(r["section"].startswith("2.4.") for r in run["results"]))
    browser.evaluate("document.getElementById('_clear').click()")
    expect("'Show all' clears the filters", len(browser.evaluate(SHOWN)), len(outcomes))


def test_search(browser):
    browser.key("/", "/")
    expect("/ goes to the search", browser.evaluate("document.activeElement.id"), "_search")
    browser.call("Input.insertText", {"text": "LEN = 529"})
    expect("search looks inside the drawers", browser.evaluate(
        "Array.from(document.querySelectorAll('.row:not([hidden])')).map(e => e.id)"), [CHECK])
    browser.call("Input.insertText", {"text": " nowhere at all"})
    expect("a search without a match says so",
           browser.evaluate("document.getElementById('_nothing').checkVisibility()"), True)
    browser.key("Escape")


def test_drawer(browser, run):
    result = next(r for r in run["results"] if r["id"] == CHECK)
    row = f"document.getElementById('{CHECK}')"
    expect("a drawer is closed at first", browser.evaluate(f"{row}.open"), False)
    browser.evaluate(f"{row}.querySelector('summary').click()")
    text = browser.evaluate(f"{row}.innerText")
    for name in ["sent", "observed", "because", "reproduce"]:
        expect_true(f"the drawer shows what was {name}", result[name] in text)
    expect_true("the drawer shows the accepted set", all(a in text for a in result["accepted"]))
    expect_true("the drawer shows the requirements", all(r in text for r in result["requirements"]))
    expect("the trace marks the operation of the finding",
           browser.evaluate(f"{row}.querySelector('mark').textContent.trim().split(' ')[0]"), "12")
    expect_true("there is a copy button", browser.evaluate(f"!!{row}.querySelector('.copy')"))
    browser.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    browser.key("j", "j")
    expect_true("j goes to a check",
                browser.evaluate("!!document.activeElement.closest('.row')"))


def test_permalinks(browser, url):
    browser.navigate("about:blank")
    browser.navigate(f"{url}#{CHECK}")
    expect("#check opens its drawer",
           browser.evaluate(f"document.getElementById('{CHECK}').open"), True)
    expect("no other drawer is open",
           browser.evaluate("document.querySelectorAll('.row[open]').length"), 1)
    browser.evaluate("location.hash = '#dev.basic.used-ring.2'")
    browser.evaluate("new Promise(done => setTimeout(done, 0))")
    expect("#requirement opens its area", browser.evaluate(
        "document.getElementById('dev.basic.used-ring.2').checkVisibility()"), True)


def test_narrow(browser, url):
    for width in (1280, 480, 340):
        browser.call("Emulation.setDeviceMetricsOverride",
                     {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        browser.navigate("about:blank")
        browser.navigate(f"{url}#{CHECK}")
        expect(f"nothing is wider than a window of {width}",
               browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), True)
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_without_script(browser, url, run):
    browser.call("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.navigate("about:blank")
    browser.navigate(url)
    root = browser.call("DOM.getDocument")["root"]["nodeId"]

    def nodes(selector):
        found = browser.call("DOM.querySelectorAll", {"nodeId": root, "selector": selector})
        return found["nodeIds"]

    expect("without script, every result is there", len(nodes(".row:not([hidden])")),
           len(run["results"]))
    expect("without script, every requirement is there", len(nodes(".area tbody tr")),
           len(run["coverage"]))
    expect("without script, nothing marks the page as scripted", len(nodes("html.js")), 0)
    text = browser.call("DOM.getOuterHTML", {"nodeId": nodes(f"[id='{CHECK}']")[0]})["outerHTML"]
    result = next(r for r in run["results"] if r["id"] == CHECK)
    expect_true("without script, the drawer has its text", result["observed"] in text)
    box = browser.call("DOM.getBoxModel", {"nodeId": nodes(".row > summary")[0]})["model"]
    expect_true("without script, rows are drawn", box["height"] > 10)
    try:
        browser.call("DOM.getBoxModel", {"nodeId": nodes(".filters")[0]})
        raise AssertionError("without script, filters that do nothing are shown")
    except RuntimeError:
        print("ok   without script, filters that do nothing are not shown")
    expect("without script, no errors", browser.problems(), [])
    browser.call("Emulation.setScriptExecutionDisabled", {"value": False})


def take_screenshots(browser, url, folder):
    os.makedirs(folder, exist_ok=True)
    for width in (1280, 480):
        for scheme in ("light", "dark"):
            anchors = {"top": "", "drawer": f"#{CHECK}", "area": "#dev.basic.used-ring.2"}
            for name, anchor in anchors.items():
                browser.navigate("about:blank")
                browser.call("Emulation.setDeviceMetricsOverride", {
                    "width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False})
                browser.navigate(url + anchor)
                browser.evaluate("new Promise(done => setTimeout(done, 600))")
                browser.screenshot(f"{folder}/{name}-{width}-{scheme}.png", width, 1000, scheme)
            browser.navigate(url)
            browser.screenshot(f"{folder}/full-{width}-{scheme}.png", width, None, scheme)
    pdf = browser.call("Page.printToPDF", {"printBackground": True})
    pathlib.Path(folder, "report.pdf").write_bytes(base64.b64decode(pdf["data"]))


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__)
        return 2
    program = (os.environ.get("VITRO_CHROMIUM") or shutil.which("chromium") or
               shutil.which("google-chrome"))
    if not program:
        print("no browser: not tested")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], sys.argv[2], folder], check=True, stdout=subprocess.DEVNULL)
        url = pathlib.Path(folder, "report.html").as_uri()
        run = json.loads(pathlib.Path(folder, "run.json").read_text())
        browser = Browser(program, os.path.join(folder, "profile"))
        try:
            browser.open_page()
            test_load(browser, url)
            test_filters(browser, run)
            test_search(browser)
            test_drawer(browser, run)
            test_permalinks(browser, url)
            test_narrow(browser, url)
            test_without_script(browser, url, run)
            if len(sys.argv) == 4:
                take_screenshots(browser, url, sys.argv[3])
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
