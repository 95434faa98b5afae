from realtime.engine.http.proxies import FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT
from server.config import table
from tests.house.checkout import CHECKOUT


def test_the_readme_has_the_settings_as_they_are() -> None:
    assert table() in (CHECKOUT / "README.md").read_text(), "put the output of `python -m server.config` into README.md"


def test_the_readme_names_every_header_that_is_believed_of_a_proxy() -> None:
    text = (CHECKOUT / "README.md").read_text()
    for header in (X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, FORWARDED):
        assert f"`{header}`" in text
