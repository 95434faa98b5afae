"""Visits of pages, each of which must be free of errors and stay on its server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page

from tests.kit.server import PASSWORD, RunningServer

WAIT_MS = 10_000
AXE = Path(__file__).parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}


@contextmanager
def visit(
    browser: Browser,
    site: RunningServer,
    path: str = "/docs",
    *,
    width: int = 1280,
    colours: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[Page]:
    """A page of its own, with its own storage. Fails for an error in its console and for a request to another host."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=colours, java_script_enabled=scripts
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws", "http", 1)))
    try:
        page.goto(site.url + path)
        yield page
    finally:
        context.close()
    assert errors == [], errors
    assert [url for url in asked if not url.startswith(f"{site.url}/") and not url.startswith("data:")] == []


def log_in(page: Page, username: str) -> None:
    """Opens the console, logs in, and waits for the connection."""
    page.locator("#open-console").click()
    if username == "demo":
        page.get_by_role("button", name="Log in as demo").click()
    else:
        page.get_by_label("Username", exact=True).fill(username)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()
    is_connected(page)


def connect_by(page: Page, transport: str, encoding: str) -> None:
    """Chooses how the console connects, and waits for the connection."""
    for label, value in (("Transport", transport), ("Encoding", encoding)):
        choice = page.get_by_label(label, exact=True)
        if choice.input_value() != value:
            choice.select_option(value)
            is_connected(page)


def is_connected(page: Page) -> None:
    page.locator("#console .state[data-state=open]").wait_for()


def call(page: Page, command: str, **fields: str) -> dict[str, Any]:
    """Calls a command in the console by its form; returns the answer that it shows."""
    page.get_by_label("Command", exact=True).select_option(command)
    for name, value in fields.items():
        page.locator(f"#console .calls [name={name}]").fill(value)
    page.locator("#console .log").evaluate("log => log.replaceChildren()")
    page.get_by_role("button", name="Call", exact=True).click()
    shown = page.get_by_role("region", name="Answer", exact=True).first
    return dict(shown.evaluate("answer => JSON.parse(answer.textContent)"))


def faults_of_access(page: Page) -> list[str]:
    """What axe-core finds to be a serious obstacle."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in SERIOUS
    ]


def is_wider_than_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
