from typing import Any

import pytest
from pydantic import ValidationError

from handlers.limits import LINK_CHARS, POST_CHARS
from handlers.posts.contract import CreatePost, UpdatePost


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"text": "Good morning"}, "text"),
        ({"text": "Good morning", "kind": "text"}, "text"),
        ({"link": "https://example.org/a"}, "link"),
        ({"link": "https://example.org/a", "text": "Read this", "kind": "link"}, "link"),
    ],
)
def test_the_kind_follows_from_the_content(payload: dict[str, Any], kind: str) -> None:
    assert CreatePost.model_validate(payload).implied_kind == kind


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"text": None},
        {"kind": "text"},
        {"kind": "link", "text": "Read this"},
        {"kind": "text", "text": "Read this", "link": "https://example.org/a"},
        {"kind": "image", "text": "A picture"},
        {"text": "Read this", "visibility": "friends"},
        {"text": "Read this", "media_ids": []},
        {"text": "Read this", "author_id": "1"},
        {"text": " \n "},
        {"text": "x" * (POST_CHARS + 1)},
    ],
)
def test_what_is_no_post_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CreatePost.model_validate(payload)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "ftp://example.org", "example.org", "//example.org", "http://", "https://a b/", "\x00"],
)
def test_a_link_leads_into_the_web(link: str) -> None:
    with pytest.raises(ValidationError):
        CreatePost.model_validate({"link": link})


def test_a_link_is_kept_in_its_normal_form() -> None:
    post = CreatePost.model_validate({"link": "HTTPS://München.example:443/a b"})
    assert post.link == "https://xn--mnchen-3ya.example/a%20b"


def test_a_link_may_not_grow_over_its_limit_by_escaping() -> None:
    short = "https://example.org/" + "ä" * 300
    long = "https://example.org/" + "ä" * 600
    assert CreatePost.model_validate({"link": short}).link is not None
    assert len(long) < LINK_CHARS
    with pytest.raises(ValidationError):
        CreatePost.model_validate({"link": long})


def test_an_address_of_the_largest_length_may_have_no_path() -> None:
    link = "https://example.org?" + "q" * (LINK_CHARS - len("https://example.org?"))
    assert CreatePost.model_validate({"link": link}).link == link.replace("?", "/?")


@pytest.mark.parametrize(
    "change", [{"link": "https://example.org"}, {"kind": "text"}, {"text": ""}, {"visibility": "friends"}]
)
def test_only_text_and_visibility_of_a_post_change(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UpdatePost.model_validate({"post_id": "5", **change})
