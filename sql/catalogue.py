"""Every query of the product, by aggregate."""

from dataclasses import dataclass

from sql.accounts import AccountQueries
from sql.binding import bind_queries
from sql.chat import ChatQueries
from sql.comments import CommentQueries
from sql.facts import FactQueries
from sql.feed import FeedQueries
from sql.graph import GraphQueries
from sql.network import NetworkQueries
from sql.people import PeopleQueries
from sql.posts import PostQueries


@dataclass(frozen=True, slots=True)
class Queries:
    """Call a query as `queries.<aggregate>.<query>(connection, name=value, ...)`.

    Every query can raise the errors of `sql.errors`; in a transaction, an error is the end of that transaction.
    """

    accounts: AccountQueries
    people: PeopleQueries
    graph: GraphQueries
    posts: PostQueries
    comments: CommentQueries
    feed: FeedQueries
    chat: ChatQueries
    facts: FactQueries
    network: NetworkQueries


def load_queries() -> Queries:
    """Reads all query files. Raises LookupError when a file and its Protocol do not fit."""
    return Queries(
        accounts=bind_queries(AccountQueries, "accounts"),
        people=bind_queries(PeopleQueries, "people"),
        graph=bind_queries(GraphQueries, "graph"),
        posts=bind_queries(PostQueries, "posts"),
        comments=bind_queries(CommentQueries, "comments"),
        feed=bind_queries(FeedQueries, "feed"),
        chat=bind_queries(ChatQueries, "chat"),
        facts=bind_queries(FactQueries, "facts"),
        network=bind_queries(NetworkQueries, "network"),
    )
