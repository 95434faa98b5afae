from handlers.accounts.contract import AUTH_LOGIN
from handlers.posts.contract import POST_GET
from realtime.contract.declarations import Repeat
from realtime.contract.errors import ALWAYS_POSSIBLE, NOT_FOUND, TOKEN_EXPIRED, UNAUTHENTICATED
from realtime.contract.rate_limit import RateLimit
from server.documents.sentences import REPEATS, listed, possible_errors, rate_sentence, size_sentence


def test_each_kind_of_repeat_has_its_sentence() -> None:
    assert set(REPEATS) == set(Repeat)


def test_a_command_may_answer_what_all_may_and_what_it_declares() -> None:
    assert set(possible_errors(POST_GET)) == {*ALWAYS_POSSIBLE, UNAUTHENTICATED, TOKEN_EXPIRED, NOT_FOUND}


def test_an_error_that_is_declared_and_always_possible_stands_there_once() -> None:
    assert len(possible_errors(AUTH_LOGIN)) == len(set(possible_errors(AUTH_LOGIN)))


def test_limits_are_said_in_plain_numbers() -> None:
    assert rate_sentence(RateLimit(1_200, 60)) == "Limit: 1,200 calls in 60 s."
    assert size_sentence(POST_GET) == "Payload: at most 65,536 bytes."


def test_words_are_listed() -> None:
    assert (listed(["a"]), listed(["a", "b", "c"])) == ("`a`", "`a`, `b` and `c`")
