"""The use case of catching up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from handlers.collections import RESET, BoundCollection, ChangedItems, ReadFrom
from handlers.context import Context, Outcome
from handlers.cursor import LOST, Progress, UnfinishedRead, reaches, read_cursor, write_cursor
from handlers.sync.contract import CollectionChanges, PullAnswer, PullPayload
from realtime.contract.encoded import Encoded, encode_answer, encoded, json_list, json_object, json_of
from realtime.contract.errors import UNAUTHENTICATED, CommandError
from realtime.contract.wire import PAGE_LIMIT_DEFAULT, unix_ms
from sql.ids import MAX_ID


class Pulled(NamedTuple):
    """What a Collection answers, and how far the client has come with it."""

    items: ChangedItems
    progress: Progress


class PullPosition(NamedTuple):
    """Where all Collections stand that are read to the end, and the most items of a list."""

    reached: Progress
    limit: int


class Puller:
    """Answers `sync:pull` for these Collections.

    One statement tells the position of this pull, and which Collections have anything stamped at or above the client's
    positions; only these are read, and after it: so what changes in between comes twice, and nothing is skipped.
    """

    def __init__(self, collections: Mapping[str, BoundCollection]) -> None:
        self._collections = collections

    async def pull(self, ctx: Context, cmd: PullPayload) -> Outcome[Encoded[PullAnswer]]:
        held = self._held(ctx, cmd.cursor)
        asked: list[str] | None = getattr(cmd, "collections", None)
        names = [name for name in asked or held or self._collections if name in self._collections]
        after = min((one.position for one in held.values() if one.unfinished is None), default=MAX_ID)
        peek = await ctx.db.sync.peek(viewer_id=ctx.user_id, after=after)
        if peek is None:
            raise CommandError(UNAUTHENTICATED, "The account of this token does not exist any more.")
        here = PullPosition(Progress(peek.position, peek.history, unix_ms(ctx.now())), cmd.limit or PAGE_LIMIT_DEFAULT)
        progress, reads = dict(held), {}
        for name in names:
            bound, one = self._collections[name], held.get(name)
            if one is None or _is_to_be_read(one, here.reached, is_changed=bound.is_changed(peek)):
                reads[name] = _read(ctx, bound, one, here)
            else:
                progress[name] = here.reached
        pulled = dict(zip(reads, await asyncio.gather(*reads.values()), strict=True)) if reads else {}
        progress |= {name: one.progress for name, one in pulled.items()}
        return Outcome(
            encoded(
                PullAnswer,
                changes=json_object(
                    {name: _changes(one.items) for name, one in pulled.items() if name not in held or any(one.items)}
                ),
                cursor=json_of(write_cursor(progress, ctx.user_id, ctx.services.cursor_seal)),
                more=json_of(any(one.progress.unfinished is not None for one in pulled.values())),
            )
        )

    def _held(self, ctx: Context, cursor: str | None) -> dict[str, Progress]:
        if cursor is None:
            return {}
        read = read_cursor(cursor, ctx.user_id, ctx.services.cursor_seal)
        return dict.fromkeys(self._collections, LOST) if read is None else read


def _is_to_be_read(held: Progress, reached: Progress, *, is_changed: bool) -> bool:
    """Mostly nothing has changed, and many clients ask: then the peek was all."""
    return is_changed or held.unfinished is not None or not reaches(held, reached)


async def _read(ctx: Context, bound: BoundCollection, held: Progress | None, here: PullPosition) -> Pulled:
    reached = here.reached
    if held is None:
        return await _read_page(ctx, bound, ReadFrom(None, None, here.limit), reached)
    if not reaches(held, reached):
        return Pulled(RESET, reached)
    if held.unfinished is not None:
        return await _read_page(ctx, bound, ReadFrom(*held.unfinished, here.limit), held)
    return await _read_page(ctx, bound, ReadFrom(held.position, None, here.limit), reached)


async def _read_page(ctx: Context, bound: BoundCollection, start: ReadFrom, reached: Progress) -> Pulled:
    """All pages of a read lead to the position that was read before its first one."""
    items = await bound.read(ctx, start)
    unfinished = None if items.resume is None else UnfinishedRead(start.since, items.resume)
    return Pulled(items, reached._replace(unfinished=unfinished))


def _changes(items: ChangedItems) -> bytes:
    changes = encoded(
        CollectionChanges,
        upserts=json_list(map(encode_answer, items.upserts)),
        removed=json_of(items.removed),
        reset=json_of(True) if items.is_reset else None,
        reset_ids=json_of(items.reset_ids) if items.reset_ids else None,
    )
    return changes.json
