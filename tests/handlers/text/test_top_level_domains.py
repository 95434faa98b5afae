from handlers.text.top_level_domains import LONGEST, TOP_LEVEL_DOMAINS


def test_the_list_is_in_the_form_in_which_it_is_asked() -> None:
    assert len(TOP_LEVEL_DOMAINS) == 1_437
    assert {"org", "museum", "みんな", "рф"} <= TOP_LEVEL_DOMAINS
    assert {"txt", "xn--p1ai", ""} & TOP_LEVEL_DOMAINS == set()
    assert all(name == name.lower() for name in TOP_LEVEL_DOMAINS)
    assert LONGEST == 18
