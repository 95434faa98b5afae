"""Every query of the product, by aggregate."""

from dataclasses import dataclass

from sql.accounts import AccountQueries
from sql.binding import bind
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
        accounts=bind(AccountQueries, "accounts"),
        people=bind(PeopleQueries, "people"),
        graph=bind(GraphQueries, "graph"),
        posts=bind(PostQueries, "posts"),
        comments=bind(CommentQueries, "comments"),
        feed=bind(FeedQueries, "feed"),
        chat=bind(ChatQueries, "chat"),
        facts=bind(FactQueries, "facts"),
        network=bind(NetworkQueries, "network"),
    )
