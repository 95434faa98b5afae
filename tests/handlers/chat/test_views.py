import datetime

from handlers.chat.views import conversation_view, group_by_conversation, message_view, pushed_conversation_view
from sql.chat import ConversationMemberRow, MemberRow, MessageRow
from sql.ids import ActivityId, ConversationId, MessageId, UserId
from sql.people import ViewedCardRow

MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=datetime.UTC)


def card(number: int) -> ViewedCardRow:
    return ViewedCardRow(UserId(number), f"user{number}", f"User {number}", 1, False)


MESSAGE = MessageRow(ConversationId(7), 3, 4, MessageId(70), "Hello", 2, "m3", MOMENT, None, False, card(1))


def rows(conversation_id: int, last_message: MessageRow | None) -> list[ConversationMemberRow]:
    return [
        ConversationMemberRow(
            ConversationId(conversation_id),
            "direct",
            None,
            3,
            4,
            ActivityId(9),
            1,
            True,
            2,
            last_message,
            MemberRow("member", 2, 1, card(number)),
        )
        for number in (1, 2)
    ]


def test_a_message_is_shown_with_its_sender() -> None:
    shown = message_view(MESSAGE).model_dump(mode="json", exclude_none=True)
    assert shown.pop("sender") == {"id": "1", "username": "user1", "display_name": "User 1", "version": 1}
    assert shown == {
        "id": "70",
        "conversation_id": "7",
        "seq": 3,
        "rev": 4,
        "text": "Hello",
        "media": [],
        "reply_to_seq": 2,
        "created_at_ms": 1_767_323_045_678,
        "client_id": "m3",
    }


def test_an_edited_message_has_the_time_of_the_edit() -> None:
    assert message_view(MESSAGE._replace(edited_at=MOMENT)).edited_at_ms == 1_767_323_045_678


def test_a_deleted_message_keeps_its_number_and_loses_its_text() -> None:
    shown = message_view(MESSAGE._replace(is_deleted=True))
    assert (shown.seq, shown.text, shown.deleted) == (3, "", True)


def test_a_conversation_is_shown_from_the_rows_of_its_members() -> None:
    shown = conversation_view(rows(7, MESSAGE))
    assert [(member.user.id, member.read_seq, member.delivered_seq) for member in shown.members] == [
        (1, 1, 2),
        (2, 1, 2),
    ]
    assert shown.last_message == message_view(MESSAGE)
    assert shown.viewer is not None
    assert shown.rev == 4
    assert (shown.viewer.unread_count, shown.viewer.read_seq, shown.viewer.muted) == (2, 1, True)
    assert pushed_conversation_view(rows(7, MESSAGE)) == shown.model_copy(update={"viewer": None})
    assert conversation_view(rows(7, None)).last_message is None


def test_rows_are_gathered_by_conversation() -> None:
    gathered = list(group_by_conversation([*rows(7, None), *rows(8, None)]))
    assert [[(row.id, row.member.user.id) for row in members] for members in gathered] == [
        [(7, 1), (7, 2)],
        [(8, 1), (8, 2)],
    ]
