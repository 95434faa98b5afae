"""`/docs` and its console, in a real browser."""

from __future__ import annotations

import msgpack
from playwright.sync_api import Browser, expect

from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.browser.visits import (
    call,
    connect_by,
    faults_of_access,
    is_connected,
    is_wider_than_window,
    log_in,
    visit,
)
from tests.kit.server import RunningServer

REGISTRY = Registry(FEATURES)
PHONE = 360
TRANSPORTS = [("websocket", "json"), ("polling", "json"), ("polling", "msgpack"), ("websocket", "msgpack")]
KEPT = "[id='post:create'], [id='post:watch'], [id='message:created'], [id='model:Card']"
"""One entry of each kind stands for all where each takes its time."""


def test_without_scripts_everything_is_readable(browser: Browser, site: RunningServer) -> None:
    with visit(browser, site, "/docs#post:like", scripts=False) as page:
        shown = page.locator("main h4:visible").all_inner_texts()
        assert set(shown) == {bound.command.name for bound in REGISTRY.commands()} | REGISTRY.pushes.keys()
        entry = page.locator("[id='post:like']")
        expect(entry).to_be_in_viewport()
        expect(entry.locator("pre:visible")).to_contain_text("curl")
        entry.get_by_text("Python", exact=True).click()
        expect(entry.locator("pre:visible")).to_contain_text("import socketio")
        expect(page.locator("#search")).to_be_hidden()
        expect(page.get_by_role("button", name="Try it")).to_have_count(0)


def test_a_search_jumps_to_an_entry_by_the_keyboard(browser: Browser, site: RunningServer) -> None:
    with visit(browser, site, "/docs#post:get") as page:
        page.locator("[id='post:get']").get_by_text("JavaScript").click()
        sample = page.locator("[id='post:create'] pre:visible")
        expect(sample).to_contain_text(f'io("{site.url}/posts"')  # one language is chosen for all
        page.keyboard.press("/")
        page.keyboard.type("unlike")
        expect(page.locator("nav li:visible")).to_have_text(["post:unlike", "comment:unlike"])
        page.keyboard.press("Enter")
        expect(page.locator("[id='post:unlike'] h4")).to_be_in_viewport()
        assert page.url.endswith("#post:unlike")
        page.keyboard.press("/")
        page.keyboard.type("no such thing")
        expect(page.get_by_role("search").get_by_role("status")).to_have_text("0 found")
        page.keyboard.press("Escape")
        expect(page.locator("nav li").first).to_be_visible()


def test_colours_follow_the_system_or_the_switch(browser: Browser, site: RunningServer) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(browser, site, colours="light") as page:
        light = page.evaluate(ground)
        page.get_by_role("button", name="Colours: as the system").click()
        dark = page.evaluate(ground)
        page.reload()
        assert page.evaluate(ground) == dark != light
        page.emulate_media(color_scheme="dark")
        page.get_by_role("button", name="Colours: dark").click()
        assert page.evaluate(ground) == light
        page.get_by_role("button", name="Colours: light").click()
        assert page.evaluate(ground) == dark


def test_a_message_of_one_appears_at_the_other_by_every_transport(browser: Browser, site: RunningServer) -> None:
    with visit(browser, site) as page, visit(browser, site) as other:
        log_in(page, "demo")
        log_in(other, "ada")
        other.get_by_role("tab", name="Store").click()
        other.get_by_role("button", name="Pull", exact=True).click()
        expect(other.locator("[data-name=me] tbody tr")).to_have_count(1)
        page.get_by_label("Frames").check()
        ada = call(page, "user:get", username="ada")["data"]["user"]["id"]
        frames = page.locator("#console .frame").all_inner_texts()
        assert any(frame.endswith('["user:get",{"username":"ada"}]') for frame in frames)
        page.get_by_label("Frames").uncheck()
        conversation = call(page, "conversation:open", user_id=ada)["data"]["conversation"]["id"]
        for transport, encoding in TRANSPORTS:
            text = f"Ça va? 🐦 {transport} {encoding}"
            for each in (page, other):
                connect_by(each, transport, encoding)
            sent = call(page, "message:send", conversation_id=conversation, text=text)
            assert sent["data"]["message"]["text"] == text
            expect(other.locator("[data-name=messages]")).to_contain_text(text)
        other.get_by_role("tab", name="Call").click()
        pushed = other.locator(".log .push").filter(has_text="message:created").first
        pushed.locator("summary").click()
        expect(pushed).to_contain_text("websocket msgpack")


def test_the_same_call_goes_over_rest_and_can_be_copied(browser: Browser, site: RunningServer) -> None:
    with visit(browser, site, "/docs#post:create") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        log_in(page, "demo")
        page.locator("[id='post:create']").get_by_role("button", name="Try it").click()
        expect(page.locator("[id='post:create'] h4")).to_be_in_viewport()
        page.get_by_label("Over", exact=True).select_option("rest")
        created = call(page, "post:create", text="Over REST")
        expect(page.locator("#console .call .took").first).to_contain_text("201 ok")
        page.get_by_label("as JSON").check()
        page.get_by_role("textbox", name="Payload").fill('{"text": "as JSON')
        page.get_by_role("button", name="Call", exact=True).click()
        expect(page.locator("#console .calls").get_by_role("alert")).to_contain_text("not JSON")
        page.get_by_label("as JSON").uncheck()
        got = call(page, "post:get", post_id=created["data"]["post"]["id"])
        assert got["data"]["post"]["text"] == "Over REST"
        page.get_by_role("button", name="Copy as Python").click()
        expect(page.locator("#console .said").first).to_contain_text("Copied as Python")
        code = page.evaluate("navigator.clipboard.readText()")
        compile(code, "copied", "exec")
        assert f'"post_id": "{created["data"]["post"]["id"]}"' in code


def test_it_works_on_a_phone_by_keyboard(browser: Browser, site: RunningServer) -> None:
    with visit(browser, site, "/docs#user:me", width=PHONE) as page:
        assert not is_wider_than_window(page)
        expect(page.locator("[id='user:me'] h4")).to_be_in_viewport()
        page.locator("[id='user:me']").get_by_role("button", name="Try it").press("Enter")
        page.get_by_label("Username", exact=True).fill("ada")
        page.get_by_label("Password", exact=True).press("Enter")
        is_connected(page)
        assert not is_wider_than_window(page)
        page.get_by_role("button", name="Call", exact=True).press("Enter")
        expect(page.locator("#console .log .good")).to_have_count(1)
        page.get_by_role("tab", name="Call").press("ArrowRight")
        expect(page.get_by_role("tab", name="Store")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#console")).to_be_hidden()
        expect(page.get_by_role("button", name="Console", exact=True)).to_be_focused()


def test_nothing_keeps_anybody_out(browser: Browser, site: RunningServer) -> None:
    with visit(browser, site) as page:
        log_in(page, "demo")
        call(page, "user:me")
        page.evaluate(
            "kept => document.querySelectorAll(`:is(.entry, .model, nav li):not(${kept})`).forEach(e => e.remove())",
            KEPT,
        )
        assert faults_of_access(page) == []
        page.get_by_role("tab", name="Store").click()
        page.get_by_role("button", name="Pull", exact=True).click()
        page.locator("[data-name=me] tbody tr").wait_for()
        assert faults_of_access(page) == []
        page.emulate_media(color_scheme="dark")
        assert faults_of_access(page) == []


def test_msgpack_is_read_and_written_as_others_do(browser: Browser, site: RunningServer) -> None:
    values = [None, True, False, 0, 127, 128, 2**32, 2**53 - 1, -1, -32, -33, -(2**40), 1.5, "", "ä" * 40, "x" * 300]
    whole = {"list": values, "map": {str(number): number for number in range(20)}, "long": "x" * 70_000}
    with visit(browser, site, "/") as page:
        unpack = "async bytes => (await import('/client/msgpack.js')).unpack(Uint8Array.from(bytes))"
        assert page.evaluate(unpack, list(msgpack.packb({**whole, "long": "x" * 3_000}))) == {
            **whole,
            "long": "x" * 3_000,
        }
        pack = "async value => [...(await import('/client/msgpack.js')).pack(value)]"
        assert msgpack.unpackb(bytes(page.evaluate(pack, whole))) == whole
