"""What pushes told that may not be told any more: deleted, edited, or not for these people now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.packed_ids import contains_id, pack_ids
from realtime.contract.wire import encode_model
from realtime.engine.protocol.encoded_push import EncodedPush, Subjects

EVERY_VERSION: Final = 2**63
MAX_WITHDRAWALS: Final = 100_000
"""Beyond it, everything that was told before counts as withdrawn."""


class _Withdrawal:
    """Versions below `below_version` are withdrawn from everybody; those below another one from each of `user_ids`,
    each since a time.
    """

    __slots__ = ("at_s", "below_version", "highest", "user_ids")

    def __init__(self) -> None:
        self.at_s = 0.0
        self.below_version = 0
        self.highest = 0
        """No version from here on is withdrawn from anybody."""
        self.user_ids: dict[int, tuple[float, int]] = {}

    def below_for(self, user_id: int | None) -> int:
        """Which versions are withdrawn from this user beside those that are from everybody; 0: none."""
        return self.user_ids[user_id][1] if user_id is not None and user_id in self.user_ids else 0


class Withdrawals:
    """The withdrawn subjects of one node, of which pushes may still be in its logs or on their way to it.

    Each is known for `keep_s`, which is at least as long as the logs keep pushes. Nothing is marked in the logs: a push
    is compared with what is withdrawn at the moment when it is to be told.
    """

    def __init__(self, *, keep_s: float, now_s: Callable[[], float], max_count: int = MAX_WITHDRAWALS) -> None:
        self._keep_s = keep_s
        self._now_s = now_s
        self._max_count = max_count
        self._by_subject: dict[str, _Withdrawal] = {}
        """Those that changed last stand at the end."""
        self._count = 0
        self.generation = 0
        """Raised when withdrawals may have been missed: pushes that were received before count as withdrawn."""

    def __len__(self) -> int:
        return self._count

    def withdraw(self, subject: str, below_version: int | None, user_ids: Sequence[int] | None) -> None:
        """Withdraws the versions below one, None: every version; from these users, None: from everybody."""
        below_version = EVERY_VERSION if below_version is None else below_version
        self._expire()
        now_s = self._now_s()
        withdrawal = self._by_subject.pop(subject, None)
        if withdrawal is None:
            withdrawal = _Withdrawal()
        else:
            self._count -= _size_of(withdrawal)
        withdrawal.at_s = now_s
        withdrawal.highest = max(withdrawal.highest, below_version)
        if user_ids is None:
            withdrawal.below_version = max(withdrawal.below_version, below_version)
        else:
            for user_id in user_ids:
                _, earlier = withdrawal.user_ids.pop(user_id, (0.0, 0))
                withdrawal.user_ids[user_id] = (now_s, max(earlier, below_version))
            _drop_old(withdrawal.user_ids, now_s - self._keep_s)
        self._by_subject[subject] = withdrawal
        self._count += _size_of(withdrawal)
        if self._count > self._max_count:
            self.withdraw_all()
            self._by_subject.clear()
            self._count = 0

    def restore(self, subject: str, user_ids: Sequence[int] | None) -> None:
        """These users may be told of the subject again; None: everybody from whom it was not withdrawn by name."""
        withdrawal = self._by_subject.get(subject)
        if withdrawal is not None and user_ids is None:
            withdrawal.below_version = 0
        elif withdrawal is not None and user_ids is not None:
            for user_id in user_ids:
                if withdrawal.user_ids.pop(user_id, None) is not None:
                    self._count -= 1

    def withdraw_all(self) -> None:
        """Withdraws every push with subjects that was received until now: this node may not know what was withdrawn."""
        self.generation += 1

    def may_include(self, subjects: Subjects) -> bool:
        """False where a push that has just been received may be told to everybody."""
        return bool(subjects.without) or (
            bool(self._by_subject)
            and any(
                (withdrawal := self._by_subject.get(name)) is not None and version < withdrawal.highest
                for name, version in subjects.named
            )
        )

    def includes(self, subjects: Subjects, user_id: int | None) -> bool:
        """Whether a push about these subjects may not be told to this user."""
        return subjects.generation < self.generation or any(
            (withdrawal := self._by_subject.get(name)) is not None
            and (version < withdrawal.below_version or version < withdrawal.below_for(user_id))
            for name, version in subjects.named
        )

    def is_withdrawn(self, subject: str, user_id: int | None) -> bool:
        """Whether a subject as a whole is withdrawn from this user, or from everybody."""
        withdrawal = self._by_subject.get(subject)
        return withdrawal is not None and EVERY_VERSION in (withdrawal.below_version, withdrawal.below_for(user_id))

    def is_outdated(self, subjects: Subjects) -> bool:
        """Whether a push about these subjects tells an older version of something that is still there."""
        return any(
            (withdrawal := self._by_subject.get(name)) is not None
            and version < withdrawal.below_version < EVERY_VERSION
            for name, version in subjects.named
        )

    def is_outdated_for(self, subjects: Subjects, user_id: int | None) -> bool:
        """Whether a push about these subjects tells an older version than this user may still be told."""
        return any(
            (withdrawal := self._by_subject.get(name)) is not None
            and version < withdrawal.below_for(user_id) < EVERY_VERSION
            for name, version in subjects.named
        )

    def replace_withdrawn(self, pushes: list[EncodedPush], user_id: int | None) -> list[EncodedPush]:
        """The pushes that may be told to this user; the last withdrawn one of each scope is a `resync` of it.

        That `resync` has the id of the push in whose place it stands: a client that has it never asks for the push.
        """
        if all(push.subjects is None for push in pushes):
            return pushes
        told: list[EncodedPush] = []
        scopes: set[str] = set()
        for push in reversed(pushes):
            subjects = push.subjects
            if subjects is None or not (is_left_out(subjects, user_id) or self.includes(subjects, user_id)):
                told.append(push)
            elif is_left_out(subjects, user_id):
                continue
            elif subjects.scope not in scopes:
                scopes.add(subjects.scope)
                data = encode_model(Resync(scope=subjects.scope))
                told.append(EncodedPush(push.namespace, RESYNC.name, data, push.push_id))
        told.reverse()
        return told

    def export_subjects(self, subjects: Subjects | None) -> list[Any] | None:
        """For another node; see `restore_subjects`."""
        if subjects is None:
            return None
        return [subjects.scope, subjects.named, subjects.generation == self.generation, subjects.without]

    def restore_subjects(self, exported: Sequence[Any] | None) -> Subjects | None:
        """What another node exported; what it counted as withdrawn counts so here."""
        if exported is None:
            return None
        scope, named, is_current, without = exported
        return Subjects(scope, named, self.generation if is_current else -1, without)

    def export(self) -> list[Any]:
        """All that is withdrawn, for another node; see `include`."""
        self._expire()
        return [
            [
                subject,
                withdrawal.below_version,
                [[user_id, below] for user_id, (_, below) in withdrawal.user_ids.items()],
            ]
            for subject, withdrawal in self._by_subject.items()
        ]

    def include(self, exported: Sequence[Any]) -> None:
        """Withdraws here too what another node exported."""
        for subject, below_version, user_ids in exported:
            if below_version:
                self.withdraw(subject, below_version, None)
            for user_id, below in user_ids:
                self.withdraw(subject, below, [user_id])

    def _expire(self) -> None:
        before_s = self._now_s() - self._keep_s
        while self._by_subject:
            subject, withdrawal = next(iter(self._by_subject.items()))
            if withdrawal.at_s >= before_s:
                return
            del self._by_subject[subject]
            self._count -= _size_of(withdrawal)


def is_left_out(subjects: Subjects, user_id: int | None) -> bool:
    """Whether this user is not told of the push at all."""
    return bool(subjects.without) and user_id is not None and contains_id(subjects.without, pack_ids([user_id]))


def _size_of(withdrawal: _Withdrawal) -> int:
    return 1 + len(withdrawal.user_ids)


def _drop_old(times: dict[int, tuple[float, int]], before_s: float) -> None:
    while times and next(iter(times.values()))[0] < before_s:
        del times[next(iter(times))]
