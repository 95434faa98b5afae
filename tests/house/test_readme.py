from server.config import table
from tests.house.checkout import CHECKOUT


def test_the_readme_has_the_settings_as_they_are() -> None:
    assert table() in (CHECKOUT / "README.md").read_text(), "put the output of `python -m server.config` into README.md"
