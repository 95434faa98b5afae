"""What must hold after a journey. Pure functions: each returns its complaints, none when all is well."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import orjson

from tests.journeys.relations import Relations

_TOLD_FOR_PEOPLE = "rookery: "


@dataclass(frozen=True, slots=True)
class Published:
    """An accepted post."""

    id: str
    author: str
    text: str
    sent_at_s: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """A post that was pushed to a subscriber."""

    post_id: str
    reader: str
    author: str
    text: str
    at_s: float


@dataclass(slots=True)
class DeliveryReport:
    """`may`: deliveries that are allowed but not required, since the relation changed at that moment."""

    must: int = 0
    must_not: int = 0
    may: int = 0
    complaints: list[str] = field(default_factory=list)


def check_deliveries(
    posts: Collection[Published],
    deliveries: Sequence[Delivery],
    relations: Relations,
    readers: Collection[str],
    ended_at_s: float,
) -> DeliveryReport:
    """Every post reached every reader who followed its author exactly once, and no other reader.

    The server looks up the followers after the post was sent and before its first delivery: only if the relation
    changes within that time the post may or may not come.
    """
    report = DeliveryReport()
    by_post: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_post[delivery.post_id].append(delivery)
    for post_id in by_post.keys() - {post.id for post in posts}:
        report.complaints.append(f"post {post_id} was delivered, and never accepted")
    for post in posts:
        heard = by_post[post.id]
        counts = Counter(delivery.reader for delivery in heard)
        looked_up_by_s = min((delivery.at_s for delivery in heard), default=ended_at_s)
        for delivery in heard:
            if (delivery.author, delivery.text) != (post.author, post.text):
                report.complaints.append(f"post {post.id} came to {delivery.reader} with other content")
        for reader in readers:
            count = counts[reader]
            if count > 1:
                report.complaints.append(f"post {post.id} came {count} times to {reader}")
            hears = relations.hears(reader, post.author, post.sent_at_s, looked_up_by_s)
            if len(hears) > 1:
                report.may += 1
            elif True in hears:
                report.must += 1
                if count == 0:
                    report.complaints.append(f"post {post.id} of {post.author} did not come to {reader}")
            else:
                report.must_not += 1
                if count > 0:
                    report.complaints.append(f"post {post.id} of {post.author} came to {reader}, who does not follow")
    return report


def check_equal(what: str, shown: object, rows: object) -> list[str]:
    """Clients are shown what the rows hold."""
    return [] if shown == rows else [f"{what}: shown {_difference(shown, rows)}"]


def _difference(shown: object, rows: object) -> str:
    if isinstance(shown, Mapping) and isinstance(rows, Mapping):
        keys = [key for key in {**shown, **rows} if shown.get(key) != rows.get(key)]
        return "; ".join(f"{key}: {shown.get(key)!r}, rows say {rows.get(key)!r}" for key in keys[:5])
    if isinstance(shown, set) and isinstance(rows, set):
        return f"too much {sorted(shown - rows)[:5]}, too little {sorted(rows - shown)[:5]}"
    if isinstance(shown, Sequence) and isinstance(rows, Sequence) and not isinstance(shown, str):
        at = next((i for i, (a, b) in enumerate(zip(shown, rows, strict=False)) if a != b), min(len(shown), len(rows)))
        return (
            f"{len(shown)} items, rows say {len(rows)}; from place {at}: {shown[at : at + 2]!r}, {rows[at : at + 2]!r}"
        )
    return f"{shown!r}, rows say {rows!r}"


@dataclass(frozen=True, slots=True)
class Said:
    """A message as every reader sees it."""

    seq: int
    sender: str
    text: str


def check_conversation(name: str, rows: Sequence[Said], views: Mapping[str, Sequence[Said]]) -> list[str]:
    """The rows are numbered from 1 without a gap, and every view of the conversation equals the rows."""
    complaints = []
    if [message.seq for message in rows] != list(range(1, len(rows) + 1)):
        complaints.append(f"conversation {name} has the numbers {[message.seq for message in rows]}")
    for viewer, view in views.items():
        complaints += check_equal(f"conversation {name} as {viewer} has it", list(view), list(rows))
    return complaints


def check_live(
    name: str,
    heard: Sequence[int],
    *,
    after_seq: int,
    last_seq: int,
    were_sent_at_once: Callable[[int, int], bool],
) -> list[str]:
    """The pushes of a conversation came once each, none is missing, and they came in order.

    Those of messages that were sent at once may come in either order.
    """
    complaints = []
    if len(set(heard)) != len(heard) or any(
        later < earlier and not were_sent_at_once(earlier, later) for earlier, later in combinations(heard, 2)
    ):
        complaints.append(f"{name} heard messages out of order or twice: {heard}")
    missing = set(range(after_seq + 1, last_seq + 1)) - set(heard)
    if missing:
        complaints.append(f"{name} did not hear messages {sorted(missing)}")
    return complaints


def log_complaints(log: str, *, with_warnings: bool = True) -> list[str]:
    """The lines that a server's log must not have: warnings, errors, and lines that are no log entries."""
    harmless = ("debug", "info") if with_warnings else ("debug", "info", "warning")
    complaints = []
    for line in log.splitlines():
        if line.startswith(_TOLD_FOR_PEOPLE):
            continue
        try:
            level = orjson.loads(line)["level"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            level = "none"
        if level not in harmless:
            complaints.append(line)
    return complaints
