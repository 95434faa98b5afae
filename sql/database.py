"""Every query of the product, by aggregate, on the connection of one unit of work or on any of a pool."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from sql.accounts import AccountQueries
from sql.bookmarks import BookmarkQueries
from sql.chat import ChatQueries
from sql.comments import CommentQueries
from sql.execution.binding import Executor, bind_queries
from sql.facts import FactQueries
from sql.feed import FeedQueries, FilterQueries
from sql.graph import GraphQueries
from sql.network import NetworkQueries
from sql.people import PeopleQueries
from sql.polls import PollQueries
from sql.pool import SqlConnection
from sql.posts import PostQueries, ShareQueries
from sql.sessions import SessionQueries
from sql.sync import SyncQueries


class Database:
    """Runs the queries of a unit of work: `await db.<aggregate>.<query>(name=value, ...)`.

    Every query can raise the errors of `sql.errors`; in a transaction, an error ends that transaction.
    """

    accounts: AccountQueries
    bookmarks: BookmarkQueries
    chat: ChatQueries
    comments: CommentQueries
    facts: FactQueries
    feed: FeedQueries
    filters: FilterQueries
    graph: GraphQueries
    network: NetworkQueries
    people: PeopleQueries
    polls: PollQueries
    posts: PostQueries
    sessions: SessionQueries
    shares: ShareQueries
    sync: SyncQueries

    def __init__(self, queries: "Queries", executor: Executor) -> None:
        self._queries = queries
        self._executor = executor

    def __getattr__(self, aggregate: str) -> object:
        # Runs at the first use of an aggregate only: most units use one or two.
        bind = self._queries.bindings.get(aggregate)
        if bind is None:
            raise AttributeError(aggregate)
        bound = bind(self._executor)
        setattr(self, aggregate, bound)
        return bound


class UnitDatabase(Database):
    """The queries on the connection of one unit of work, which may be in a transaction."""

    def __init__(self, queries: "Queries", connection: SqlConnection) -> None:
        super().__init__(queries, connection)
        self.connection = connection


class Queries:
    """The queries of all files, by aggregate."""

    def __init__(self, bindings: Mapping[str, Callable[[Executor], Any]]) -> None:
        self.bindings = bindings


def aggregates() -> dict[str, type]:
    """The Protocol of each aggregate, by the name that it has in `Database` and among the query files."""
    return get_type_hints(Database)


@cache
def load_queries() -> Queries:
    """Reads all query files, once per process.

    Raises LookupError when a file and its Protocol do not name the same queries.
    """
    return Queries({name: bind_queries(protocol, name) for name, protocol in aggregates().items()})
