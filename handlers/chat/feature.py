"""The chat feature."""

from __future__ import annotations

from typing import Final

from handlers.chat import contract, conversations, direct, direct_contract, messages, positions, sync, sync_contract
from handlers.chat.collections import read_conversations, read_messages
from handlers.chat.rooms import entry_rooms
from handlers.collections import BoundCollection
from handlers.feature import Feature, bind_command

FEATURE: Final = Feature(
    name="chat",
    commands=(
        bind_command(contract.OPEN, conversations.open_conversation),
        bind_command(contract.LIST_CONVERSATIONS, conversations.list_conversations),
        bind_command(contract.GET, conversations.show_conversation),
        bind_command(contract.SEND, messages.send_message),
        bind_command(contract.LIST_MESSAGES, messages.list_messages),
        bind_command(direct_contract.WRITE, direct.write_message),
        bind_command(direct_contract.LIST, direct.list_direct_messages),
        bind_command(contract.READ, positions.mark_read),
        bind_command(contract.DELIVERED, positions.mark_delivered),
        bind_command(sync_contract.SYNC, sync.sync_chat),
    ),
    pushes=(
        contract.MESSAGE_CREATED,
        contract.CONVERSATION_POSITION,
        contract.RECEIPT_UPDATED,
        contract.CONVERSATION_UPDATED,
    ),
    collections=(
        BoundCollection(sync_contract.CONVERSATIONS, lambda peek: peek.conversations, read_conversations),
        BoundCollection(sync_contract.MESSAGES, lambda peek: peek.conversations, read_messages),
    ),
    entry_rooms={contract.NAMESPACE: entry_rooms},
)
