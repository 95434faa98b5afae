import pytest

from handlers.case_folding import folded


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("Ada", "ADA"),
        ("ΝΙΚΟΣ", "νικος"),
        ("νικοσ", "νικος"),
        ("İrem", "i\u0307rem"),
        ("STRASSE", "straße"),
        ("É", "e\u0301"),
        ("ᾼ", "ᾳ"),
    ],
)
def test_texts_that_are_the_same_without_regard_to_case(typed: str, same: str) -> None:
    assert folded(typed) == folded(same)


@pytest.mark.parametrize(("one", "other"), [("İrem", "irem"), ("ırmak", "irmak"), ("resume", "résumé"), ("a", "а")])
def test_texts_that_are_not(one: str, other: str) -> None:
    assert folded(one) != folded(other)


def test_upper_and_lower_case_of_every_letter_are_the_same_and_folding_again_changes_nothing() -> None:
    letters = [chr(number) for number in range(0x20000) if chr(number).isalpha()]
    assert [letter for letter in letters if folded(letter.lower()) != folded(letter)] == []
    # The dotless i is a letter of its own, though its upper case is I.
    assert [letter for letter in letters if folded(letter.upper()) != folded(letter)] == ["ı"]
    assert [letter for letter in letters if folded(folded(letter)) != folded(letter)] == []
