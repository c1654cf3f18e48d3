"""A browser for the tests of pages: one Chromium, pages that may not ask for anything, and times of frames."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The browser's program; none if there is no browser."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield found
        finally:
            found.close()


@dataclass
class Opened:
    """A page that is open, and what it did that it should not."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def call(self, code: str, *arguments: Any) -> Any:
        """What an expression of the page's `archspec` comes to: `call("boxes()")`."""
        return self.page.evaluate(f"archspec.{code}", *arguments)

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("state()")
        return found

    @property
    def boxes(self) -> dict[str, dict[str, Any]]:
        """The boxes that are shown, by their paths."""
        return {box["path"]: box for box in self.call("boxes()")}

    def wait(self, condition: str) -> None:
        """Until a condition holds. The page's policy forbids playwright's own way to wait."""
        end = time.monotonic() + 5
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"waited in vain until {condition}"
            self.page.wait_for_timeout(10)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def spot(self, path: str, dx: float = 0.5, dy: float = 0.5) -> tuple[float, float]:
        """A point of the window that is in a box: parts of its width and height from its corner."""
        box, state = self.boxes[path], self.state
        bounds = self.page.locator("#canvas").bounding_box()
        assert bounds is not None
        x = bounds["x"] + state["x"] + (box["x"] + dx * box["width"]) * state["scale"]
        y = bounds["y"] + state["y"] + (box["y"] + dy * box["height"]) * state["scale"]
        return x, y


@contextmanager
def opened(
    browser: Browser, html: str, folder: Path, *, width: int = 1280, height: int = 800, **options: Any
) -> Iterator[Opened]:
    """A page from a file. All that it says to the console, asks of a network, or fails at is a complaint."""
    path = folder / f"page{len(list(folder.iterdir()))}.html"
    path.write_text(html, encoding="utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": height}, accept_downloads=True, offline=True, **options
    )
    try:
        page = context.new_page()
        found = Opened(page)
        page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: found.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (found.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: _refuse(found, request.url, path.as_uri()))
        page.goto(path.as_uri())
        found.wait("window.archspec && window.archspec.ready > 0")
        yield found
    finally:
        context.close()


def _refuse(found: Opened, url: str, own: str) -> None:
    if url != own and not url.startswith(("data:", "blob:")):
        found.complaints.append(f"request: {url}")


FRAMES = """
    ([step, frames]) => new Promise((done) => {
        const times = [];
        let last = performance.now();
        const next = (now) => {
            times.push(now - last);
            last = now;
            archspec.panBy(0, -step);
            if (times.length <= frames) requestAnimationFrame(next);
            else done(times.slice(1));
        };
        requestAnimationFrame(next);
    })
"""


def frame_times(page: Opened, step: float = 40, frames: int = 300) -> tuple[float, float]:
    """Milliseconds between frames while the picture is moved: the median, and what 95 of 100 stay below."""
    times = sorted(page.page.evaluate(FRAMES, [step, frames]))
    return statistics.median(times), times[int(0.95 * len(times))]


def measure(html: str, folder: Path) -> dict[str, float]:
    """How long an unfolded, open picture takes to be shown, to be laid out anew, and between frames."""
    with browser() as program, opened(program, html, folder) as found:
        whole = found.page.evaluate(
            "() => { const start = performance.now(); archspec.unfoldAll(true); archspec.setDepth(99);"
            " document.body.offsetHeight; return performance.now() - start; }"
        )
        result = {"ready": found.call("ready"), "unfold": whole, "boxes": len(found.call("boxes()"))}
        result["painted"] = found.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        for name, scale in ("at 100%", 1.0), ("at 25%", 0.25), ("at 8%", 0.08):
            found.call(f"zoomTo({scale})")
            result[f"frame {name}"], result[f"95% {name}"] = frame_times(found, 40)
        assert not found.complaints, found.complaints
    return result
