import datetime

from server.demo_network import NetworkMaker

NOW = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


def test_whoever_wrote_a_message_has_read_up_to_it() -> None:
    network = NetworkMaker(password_hash="", now=NOW, seed=1, prefix="").made_up(100, posts=10, demo=True)
    read = {(member.conversation_id, member.user_id): member.read_seq for member in network.members}
    assert network.messages
    assert all(message.seq <= read[message.conversation_id, message.sender_id] for message in network.messages)
    last = {conversation.id: conversation.last_seq for conversation in network.conversations}
    assert any(read_seq < last[conversation_id] for (conversation_id, _), read_seq in read.items())
