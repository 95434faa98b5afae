import heapq
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from realtime.contract.errors import CLOSE_SESSION_REVOKED, CLOSE_TOKEN_EXPIRED, CloseReason
from realtime.contract.identity import Identity
from server.accounts.token_watch import TokenWatch
from tests.kit.clock import NOON, ManualClock

NOON_S = int(NOON.timestamp())
LIFE_S = 900


@dataclass
class ManualTimer:
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualTimers:
    """Runs what is due as the clock is moved."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, ManualTimer, Callable[[], None]]] = []

    def call_later(self, delay_s: float, action: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer()
        heapq.heappush(self._due, (self._now_s() + delay_s, next(self._numbers), timer, action))
        return timer

    def advance(self, seconds: float) -> None:
        end_s = self._now_s() + seconds
        while self._due and self._due[0][0] <= end_s:
            at_s, _, timer, action = heapq.heappop(self._due)
            self._clock.advance(at_s - self._now_s())
            if not timer.cancelled:
                action()
        self._clock.advance(end_s - self._now_s())

    @property
    def waiting(self) -> int:
        return sum(not timer.cancelled for _, _, timer, _ in self._due)

    def fire_all(self) -> None:
        """As if the loop's clock ran ahead of the time of day."""
        due, self._due = self._due, []
        for _, _, timer, action in due:
            if not timer.cancelled:
                action()

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


@dataclass
class RecordingSession:
    log: list[object]
    namespace: str

    def send(self, event: str, data: bytes) -> None:
        self.log.append((self.namespace, event, json.loads(data)))

    def disconnect(self) -> None:
        self.log.append((self.namespace, "DISCONNECT"))


@dataclass
class RecordingConnection:
    """What a connection was sent, in order."""

    id: str
    identity: Identity | None
    log: list[object] = field(default_factory=list)
    sessions: dict[str, RecordingSession] = field(default_factory=dict)

    def join(self, *namespaces: str) -> None:
        self.sessions |= {name: RecordingSession(self.log, name) for name in namespaces}

    def close(self, reason: CloseReason) -> None:
        self.log.append(reason)


Ground = tuple[TokenWatch, ManualTimers]


@pytest.fixture
def ground() -> Ground:
    clock = ManualClock()
    timers = ManualTimers(clock)
    return TokenWatch(clock, access_token_ttl_s=LIFE_S, call_later=timers.call_later), timers


def connection(name: str = "one", *, login_session_id: int = 9, expires_in_s: int = LIFE_S) -> RecordingConnection:
    made = RecordingConnection(name, Identity(7, login_session_id, NOON_S + expires_in_s))
    made.join("/chat", "/feed")
    return made


def warning(expires_in_s: int) -> list[object]:
    return [(name, "token:expiring", {"expires_in_s": expires_in_s}) for name in ("/chat", "/feed")]


def test_every_namespace_is_warned_60_s_before_the_end_and_then_the_connection_is_closed(ground: Ground) -> None:
    watch, timers = ground
    one = connection()
    watch.watch(one)
    timers.advance(839)
    assert one.log == []
    timers.advance(1)
    assert one.log == warning(60)
    timers.advance(59)
    assert one.log == warning(60)
    timers.advance(1)
    assert one.log == [*warning(60), CLOSE_TOKEN_EXPIRED]
    assert timers.waiting == 0


def test_a_renewed_connection_lives_on_and_is_warned_again(ground: Ground) -> None:
    watch, timers = ground
    one = connection()
    watch.watch(one)
    timers.advance(850)
    one.identity = Identity(7, 9, NOON_S + 850 + LIFE_S)
    watch.watch(one)
    timers.advance(800)
    assert one.log == warning(60)
    timers.advance(40)
    assert one.log == [*warning(60), *warning(60)]


def test_watching_the_same_token_again_changes_nothing(ground: Ground) -> None:
    watch, timers = ground
    one = connection()
    watch.watch(one)
    timers.advance(850)
    watch.watch(one)
    timers.advance(1)
    assert one.log == warning(60)
    assert timers.waiting == 1


def test_a_token_shown_late_is_warned_of_at_once(ground: Ground) -> None:
    watch, timers = ground
    one = connection(expires_in_s=20)
    watch.watch(one)
    timers.advance(0)
    assert one.log == warning(20)


def test_short_lived_tokens_are_warned_of_after_half_of_their_life() -> None:
    clock = ManualClock()
    timers = ManualTimers(clock)
    watch = TokenWatch(clock, access_token_ttl_s=10, call_later=timers.call_later)
    one = connection(expires_in_s=10)
    watch.watch(one)
    timers.advance(4.9)
    assert one.log == []
    timers.advance(0.1)
    assert one.log == warning(5)


def test_a_timer_that_is_early_by_the_time_of_day_is_put_off(ground: Ground) -> None:
    watch, timers = ground
    one = connection()
    watch.watch(one)
    timers.fire_all()
    assert one.log == []
    timers.advance(840)
    timers.fire_all()
    timers.fire_all()
    assert one.log == warning(60)
    timers.advance(60)
    assert one.log == [*warning(60), CLOSE_TOKEN_EXPIRED]


def test_a_connection_that_has_ended_is_forgotten(ground: Ground) -> None:
    watch, timers = ground
    one = connection()
    watch.watch(one)
    watch.unwatch(one)
    watch.unwatch(one)
    watch.close_revoked([9])
    timers.advance(LIFE_S)
    assert one.log == []
    assert timers.waiting == 0


def test_connections_of_a_revoked_login_session_are_notified_and_closed(ground: Ground) -> None:
    watch, timers = ground
    phone, tablet, other = connection("phone"), connection("tablet"), connection("other", login_session_id=10)
    for each in (phone, tablet, other):
        watch.watch(each)
    watch.close_revoked([9, 11])
    said = [("session:revoked", {"code": "unauthenticated"}), ("DISCONNECT",)]
    expected = [(name, *words) for name in ("/chat", "/feed") for words in said]
    assert phone.log == tablet.log == [*expected, CLOSE_SESSION_REVOKED]
    assert other.log == []
    assert timers.waiting == 1


def test_an_anonymous_connection_cannot_be_watched(ground: Ground) -> None:
    watch, _ = ground
    with pytest.raises(TypeError):
        watch.watch(RecordingConnection("anonymous", None))
