"""A real Chromium without a window, driven over WebDriver (W3C) and its DevTools.

Debian's packages `chromium` and `chromium-driver`; nothing from a package index. A browser that
does not start fails the test that wants it.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import select
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STARTED = re.compile(rb"started successfully on port (\d+)")
_PATIENCE = 30
# Debian's name, or that of GitHub's runners.
_BINARY = shutil.which("chromium") or shutil.which("google-chrome")


class Browser:
    """One window. Every method raises AssertionError with what Chromium said when it refuses."""

    def __init__(self, port: int, profile: Path) -> None:
        self._port = port
        options = {
            "binary": _BINARY,
            "args": [
                "--headless=new",
                "--no-sandbox",  # CI runs as root in a container
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                f"--user-data-dir={profile}",
            ],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer['sessionId']}"
        self._post("/timeouts", {"pageLoad": 120_000, "script": 60_000})

    def open(self, path: Path) -> float:
        """Open a file; seconds until it was loaded, laid out and painted."""
        began = time.monotonic()
        self._post("/url", {"url": path.as_uri()})
        self.run_async(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        )
        return time.monotonic() - began

    def run(self, script: str, *words: Any) -> Any:
        """The value of a script's `return`."""
        return self._post("/execute/sync", {"script": script, "args": list(words)})

    def run_async(self, script: str, *words: Any) -> Any:
        """What the script hands to its last argument."""
        return self._post("/execute/async", {"script": script, "args": list(words)})

    def press(self, *keys: str) -> None:
        """Press and release one key after the other, as a keyboard does."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}
        self._post("/actions", body)

    def console(self) -> list[str]:
        """What has been said on the console, errors of the security policy included."""
        return [line["message"] for line in self._post("/se/log", {"type": "browser"})]

    def devtools(self, command: str, **words: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": words})

    def prefer(self, scheme: str, media: str = "") -> None:
        """`light` or `dark`; on a screen, in `print`, or on whatever the page is shown."""
        self.devtools(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def size(self, width: int, height: int) -> None:
        """The window's inside, in CSS pixels."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scripts(self, *, on: bool) -> None:
        """Let pages run scripts, or not."""
        self.devtools("Emulation.setScriptExecutionDisabled", value=not on)

    def screenshot(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode(self.devtools("Page.captureScreenshot", format="png")["data"])

    def print(self) -> bytes:
        """The page as it prints, as PDF."""
        answer = self.devtools("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        """Close the window."""
        self._call("DELETE", self._session, None)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", self._session + path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=180)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
            assert response.status == 200, value
        finally:
            connection.close()
        return value


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in that folder."""
    driver = shutil.which("chromedriver")
    assert None not in (driver, _BINARY), (
        "Chromium is needed: apt-get install chromium chromium-driver"
    )
    with subprocess.Popen(
        [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
    ) as process:
        try:
            browser = Browser(_port(process), folder / "profile")
            try:
                yield browser
            finally:
                browser.close()
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _port(process: subprocess.Popen[bytes]) -> int:
    """The port that the driver chose, from what it says. It goes on saying little after that."""
    assert process.stdout is not None
    until = time.monotonic() + _PATIENCE
    while select.select([process.stdout], [], [], max(until - time.monotonic(), 0))[0]:
        line = process.stdout.readline()
        match = _STARTED.search(line)
        if match:
            return int(match[1])
        assert line, "chromedriver ended"
    raise AssertionError("chromedriver did not start")
