"""The chat feature."""

from __future__ import annotations

from typing import Final

from handlers.chat import contract, conversations, direct, direct_contract, messages, positions, sync
from handlers.chat.rooms import rooms_at_entry
from handlers.feature import Feature, bind

FEATURE: Final = Feature(
    name="chat",
    commands=(
        bind(contract.OPEN, conversations.open_conversation),
        bind(contract.LIST_CONVERSATIONS, conversations.list_conversations),
        bind(contract.GET, conversations.show_conversation),
        bind(contract.SEND, messages.send_message),
        bind(contract.LIST_MESSAGES, messages.list_messages),
        bind(direct_contract.WRITE, direct.write_message),
        bind(direct_contract.LIST, direct.list_direct_messages),
        bind(contract.READ, positions.mark_read),
        bind(contract.DELIVERED, positions.mark_delivered),
        bind(contract.SYNC, sync.sync_chat),
    ),
    pushes=(
        contract.MESSAGE_CREATED,
        contract.CONVERSATION_POSITION,
        contract.RECEIPT_UPDATED,
        contract.CONVERSATION_UPDATED,
    ),
    entry_rooms={contract.NAMESPACE: rooms_at_entry},
)
