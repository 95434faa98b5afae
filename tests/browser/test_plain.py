"""The plain page: what one person does on it is there for the other."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.visits import faults_of_access, is_wider_than_window, visit
from tests.kit.server import PASSWORD, RunningServer


def enter(page: Page, username: str, *, is_new: bool = False) -> None:
    page.get_by_label("Username", exact=True).first.fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make an account" if is_new else "Log in").click()
    expect(page.get_by_role("status")).to_contain_text("live")


def find(page: Page, username: str) -> Locator:
    page.get_by_placeholder("Find by username").fill(username)
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#found")).to_contain_text(f"@{username}")
    return page.locator("#found")


def publish(page: Page, text: str, options: str = "") -> None:
    page.get_by_label("What is new?").fill(text)
    if options:
        page.get_by_text("Ask with a poll").click()
        page.get_by_label("Options, one a line").fill(options)
    page.get_by_role("button", name="Post", exact=True).click()
    expect(page.locator("#feed")).to_contain_text(text)


def test_polls_comments_and_shares_of_one_are_there_for_the_other(browser: Browser, site: RunningServer) -> None:
    with visit(browser, site, "/") as page, visit(browser, site, "/", width=360) as other:
        enter(page, "plain.ada", is_new=True)
        enter(other, "plain.bea", is_new=True)
        publish(page, "Which bird?", "Rook\nJay")
        find(other, "plain.ada").get_by_role("button", name="Follow").click()
        post = other.locator("#feed > li").filter(has_text="Which bird?").first
        post.get_by_label("Jay").check()
        post.get_by_role("button", name="Vote").click()
        expect(post.locator(".chosen")).to_have_text("Jay · 1")
        post.get_by_role("button", name="Bookmark", exact=True).click()
        expect(post.get_by_role("button", name="Remove the bookmark")).to_be_visible()
        own = page.locator("#feed > li").filter(has_text="Which bird?").first
        own.get_by_role("button", name="Comments").click()
        expect(own.get_by_label("Your comment")).to_be_visible()
        post.get_by_role("button", name="Comments").click()
        post.get_by_label("Your comment").fill("A jay, surely")
        post.get_by_role("button", name="Send").click()
        comment = own.locator(".comments li").filter(has_text="A jay, surely")
        comment.get_by_role("button", name="Like the comment").click()
        comment.get_by_role("button", name="Replies").click()
        comment.get_by_label("Your reply").fill("Noted")
        comment.get_by_role("button", name="Send").click()
        expect(comment.locator("li")).to_contain_text("Noted")
        post.get_by_role("button", name="Share").click()
        expect(other.locator("#feed blockquote")).to_contain_text("Which bird?")
        assert faults_of_access(page) == []
        assert not is_wider_than_window(other)
