import pytest

from handlers.text.urls import find_urls


def urls(text: str) -> list[str]:
    return [link.value for link in find_urls(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see example.org?q=1, or Example.ORG:8080/a.", ["example.org?q=1", "Example.ORG:8080/a"]),
        ("HTTPS://example.org/a(b(c)d)e)", ["HTTPS://example.org/a(b(c)d)e"]),
        ("read me.txt and notes.txt", []),
        ("example.org/a?", ["example.org/a"]),
        ("http://" + "a" * 64 + ".org", []),
        ("http://" + "a." * 130 + "org", []),
        ("..example.org", []),
        ("a..org", []),
    ],
)
def test_a_link_ends_where_a_reader_would_end_it(text: str, expected: list[str]) -> None:
    assert urls(text) == expected


def test_a_link_tells_where_it_stands() -> None:
    [link] = find_urls("🪶 example.org!")
    assert (link.start, link.end) == (2, 13)
