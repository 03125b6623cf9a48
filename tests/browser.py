"""Chromium without a window, for tests of what people see: a page, what is on it, and its picture."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

SECONDS = 30.0
WINDOWS = [(1200, False), (1200, True), (420, False)]
"""Width of a window, and whether it is dark: a page must be readable in each."""
_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_MIDDLE = """(selector) => {
  const it = document.querySelector(selector);
  it.scrollIntoView({ block: "center" });
  const box = it.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}"""


class Page:
    """One tab, spoken to over the DevTools protocol."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket
        self._number = 0
        self.complaints: list[str] = []
        """Errors and warnings of the console, and requests that the page made."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Calls `method` and waits for its answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, told["error"]
                return told["result"]

    def open(self, file: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Shows `file` in a window of that size, and waits until it is loaded."""
        self.complaints.clear()
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=file.resolve().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def height_in(self, file: Path, width: int, *, dark: bool, picture: str) -> int:
        """Height of `file` in such a window, in which it fits without a complaint; keeps a picture of it."""
        self.open(file, width=width, dark=dark)
        self.picture(pictures() / f"{picture}-{width}{'-dark' if dark else ''}.png")
        assert self.value(_WIDER) == 0, "the page must be scrolled sideways"
        assert self.complaints == []
        return self.value("document.documentElement.scrollHeight")

    def value(self, expression: str) -> Any:
        """What the JavaScript `expression` comes to."""
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of it."""
        self._mouse(selector, "mousePressed")
        self._mouse(selector, "mouseReleased")

    def point_at(self, selector: str) -> None:
        """With the mouse, without a click."""
        self._mouse(selector, "mouseMoved")

    def _mouse(self, selector: str, kind: str) -> None:
        x, y = self.value(f"({_MIDDLE})({json.dumps(selector)})")
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, file: Path) -> None:
        """Of the whole page, as PNG."""
        told = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(told["data"]))

    def _next(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._socket.recv())
        params = told.get("params", {})
        match told.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning"}:
                self.complaints.append(str(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(params["entry"]["text"])
            case "Network.requestWillBeSent" if not params["request"]["url"].startswith(("file:", "data:")):
                self.complaints.append(f"asks for {params['request']['url']}")
            case _:
                pass
        return told


@contextmanager
def browser() -> Generator[Page]:
    """A tab of a fresh Chromium, which is ended afterwards."""
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: apt-get install chromium"
    with tempfile.TemporaryDirectory(prefix="slipway-chromium-", ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--no-first-run", "--hide-scrollbars", f"--user-data-dir={home}", "--remote-debugging-port=0",
                "--remote-allow-origins=*", "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            socket = websocket.create_connection(_tab(Path(home)), timeout=SECONDS, suppress_origin=True)
            yield Page(socket)
            socket.close()
        finally:
            process.terminate()
            process.wait(SECONDS)


def _tab(home: Path) -> str:
    """Address of the first tab, once Chromium has said on which port it listens."""
    until = time.monotonic() + SECONDS
    told = home / "DevToolsActivePort"
    while time.monotonic() < until:
        if told.exists() and (lines := told.read_text().splitlines()):
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            if tabs:
                return tabs[0]["webSocketDebuggerUrl"]
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not open a tab within {SECONDS:.0f} s")


def pictures() -> Path:
    """Where pictures are kept for people."""
    root = Path(__file__).parents[1]
    return Path(os.environ.get("REPORTS_DIR", root / "reports")) / "pages"
