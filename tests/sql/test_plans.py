"""The hot queries on tables big enough for a wrong plan to show: which indexes they take, how many rows they touch.

Each is planned with its values known and with them unknown, since PostgreSQL changes to the second after five calls.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from loadtest.bench.commands.statements import read_statements
from sql.execution.binding import read_queries
from sql.ids import MAX_ID
from sql.pool import close_pool
from tests.kit.pool import opened_pool
from tests.sql.big_tables import CHATTERER, COLLECTOR, HOT_POST, LATER, SEED, STAR, VIEWER
from tests.sql.hot_queries import HOT_OF_CHAT, Hot
from tests.sql.written_out import WRITTEN_OUT

LIST = list(range(58_402, 60_001, 2))
FLOOR = 58_400
FIRST_VERSION = 1 << 32
"""Of the lists of those who follow nobody since the beginning, in the history that the tables are given."""


def feed_page(viewer_id: int, before: int) -> dict[str, list[int]]:
    return {
        "ids": LIST,
        "viewer_ids": [viewer_id],
        "ids_firsts": [1],
        "ids_lasts": [len(LIST)],
        "versions": [FIRST_VERSION],
        "floors": [FLOOR],
        "befores": [before],
        "skips": [0],
        "page_sizes": [20],
    }


HOT = [
    Hot(
        "people.read_own_profile",
        {"user_ids": list(range(1, 6_400, 100))},
        {"users_pkey"},
        64,
    ),
    Hot(
        "posts.read_post",
        {"viewer_ids": [VIEWER] * 64, "post_ids": list(range(10, 6_410, 100))},
        {"posts_pkey", "users_pkey", "post_likes_pkey"},
        64 * 6,
    ),
    Hot(
        "posts.read_posts",
        {
            "post_ids": list(range(10, 6_410, 100)),
            "viewer_ids": [VIEWER] * 4,
            "post_ids_firsts": [1, 17, 33, 49],
            "post_ids_lasts": [16, 32, 48, 64],
        },
        {"posts_pkey", "users_pkey", "post_likes_pkey"},
        64 * 6,
    ),
    Hot(
        "posts.list_posts",
        {"viewer_ids": [VIEWER], "author_ids": [STAR], "befores": [MAX_ID], "skips": [0], "page_sizes": [20]},
        {"posts_author_idx"},
        200,
    ),
    Hot(
        "posts.list_likers",
        {"viewer_ids": [VIEWER], "post_ids": [HOT_POST], "befores": [MAX_ID], "page_sizes": [20]},
        {"post_likes_newest_idx", "users_pkey"},
        120,
    ),
    Hot(
        "comments.list_comments",
        {"viewer_ids": [VIEWER], "post_ids": [HOT_POST], "befores": [MAX_ID], "page_sizes": [20]},
        {"comments_post_idx", "users_pkey", "comment_likes_pkey"},
        140,
    ),
    Hot(
        "feed.home_page",
        feed_page(VIEWER, MAX_ID),
        {"posts_pkey", "posts_author_idx", "post_likes_pkey", "users_broadcaster_idx"},
        500,
    ),
    Hot(
        "feed.home_page",
        feed_page(VIEWER, 30_000),
        {"posts_author_idx", "post_likes_pkey"},
        1_500,
    ),
    Hot(  # of 8,000 changes no more is read than what makes a new read cheaper
        "feed.changed_posts",
        {"viewer_ids": [COLLECTOR], "sinces": [0], "page_sizes": [201]},
        {"follows_follower_idx", "posts_changed_idx", "posts_pkey", "post_likes_pkey", "users_pkey"},
        1_800,
    ),
    Hot(  # one probe for each of 5,000 followed users
        "feed.changed_posts",
        {"viewer_ids": [COLLECTOR], "sinces": [LATER], "page_sizes": [201]},
        {"posts_changed_idx"},
        5_100,
    ),
    Hot(
        "feed.read_list_position",
        {"consumer": "feed_fanout", "fact_names": ["post.created", "post.shown"]},
        {"fact_checkpoints_pkey", "facts_lane_idx"},
        2 * 8 + 8 * 3 * 2,
    ),
    Hot(
        "feed.newest_of_author",
        {"author_id": STAR, "page_size": 500},
        {"posts_author_idx"},
        600,
    ),
    Hot(
        "feed.home_ids",
        {"viewer_id": VIEWER, "id_limit": 800},
        {"posts_author_idx", "follows_pkey"},
        5_000,
    ),
    Hot(
        "feed.follower_batch",
        {"author_id": STAR, "before_follow_id": 3_000, "batch_size": 1_000},
        {"follows_followed_idx"},
        1_200,
    ),
    Hot(
        "feed.followers_among",
        {"author_id": STAR, "user_ids": list(range(1, 1_001))},
        {"follows_pkey"},
        1_500,
    ),
    Hot(
        "graph.list_followers",
        {"viewer_ids": [VIEWER], "user_ids": [STAR], "befores": [MAX_ID], "page_sizes": [20]},
        {"follows_followed_idx", "users_pkey"},
        120,
    ),
    Hot(  # with nothing new, whomever they follow
        "sync.peek",
        {"viewer_ids": [COLLECTOR] * 64, "afters": [LATER] * 64},
        {"users_pkey", "relation_changes_changed_idx", "posts_last_changed_idx"},
        64 * 6,
    ),
    Hot(
        "sync.peek",
        {"viewer_ids": [COLLECTOR], "afters": [0]},
        {"posts_last_changed_idx", "posts_changed_idx"},
        200,
    ),
    Hot(
        "graph.list_relations",
        {"viewer_ids": [COLLECTOR], "afters": [13_000], "page_sizes": [100]},
        {"follows_pkey"},
        100,
    ),
    Hot(  # of 100,000 changes no more is read than what makes a new read cheaper
        "graph.list_relation_changes",
        {"viewer_ids": [COLLECTOR], "after_stamps": [0], "after_ids": [0], "page_sizes": [100]},
        {"relation_changes_changed_idx"},
        5_010,
    ),
    Hot(
        "graph.list_relation_changes",
        {"viewer_ids": [COLLECTOR], "after_stamps": [96_000], "after_ids": [0], "page_sizes": [100]},
        {"relation_changes_changed_idx", "follows_pkey"},
        4_000 + 400,
    ),
    Hot(
        "bookmarks.list_bookmarks",
        {"viewer_ids": [COLLECTOR] * 4, "befores": [1_000] * 4, "page_sizes": [20] * 4},
        {"bookmarks_newest_idx", "posts_pkey", "users_pkey"},
        4 * 20 * 6,
    ),
    Hot(  # each bookmark costs a probe, where many posts have changed at all
        "bookmarks.changed_bookmarks",
        {"viewer_ids": [COLLECTOR], "sinces": [LATER], "page_sizes": [201]},
        {"bookmarks_changed_idx", "posts_pkey"},
        2 * 2_000 + 10,
    ),
    *HOT_OF_CHAT,
    Hot(
        "facts.read_facts",
        {
            "lanes": list(range(8)),
            "positions": [50_000] * 8,
            "fact_ids": [0] * 8,
            "names": ["post.created"],
            "batch_size": 20,
            "scan_size": 40,
        },
        {"facts_lane_idx"},
        1_500,
    ),
    Hot(
        "accounts.read_credentials",
        {"logins": ["user4000"], "networks": ["192.0.2.1"]},
        {"users_username_key", "users_email_key", "users_phone_key", "user_networks_pkey"},
        5,
    ),
    Hot(
        "accounts.find_taken_names",
        {"username_folded": "user4000", "email_folded": "user4000@example.org", "phone": "+1"},
        {"users_username_key", "users_email_key", "users_phone_key"},
        5,
    ),
]


INDEXES_OF_PARTITIONS = """
SELECT part.relname, whole.relname
FROM pg_inherits i
JOIN pg_class part ON part.oid = i.inhrelid AND part.relkind = 'i'
JOIN pg_class whole ON whole.oid = i.inhparent
"""

SHAPES = re.compile(
    r"\b(?:user_row|own_user_row|card|card_for|post_row|post_author|post_state|post_viewer|comment_row|comment_viewer"
    r"|conversation_for|member_for|message_for|hidden_from|relation|may_see_content|relations_changed|audience_changed|feed_changed)\("
)
"""A call of one of them in a plan: the planner did not put it in line."""


@pytest.fixture(scope="module")
def big_database_url(database_url: str) -> Iterator[str]:
    async def fill() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute(SEED)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()

    asyncio.run(fill())
    yield database_url


@pytest_asyncio.fixture
async def connection(big_database_url: str) -> AsyncIterator[Any]:
    pool = await opened_pool(
        big_database_url, min_size=0, max_size=1, statement_timeout_ms=20_000, idle_in_transaction_timeout_ms=20_000
    )
    async with pool.lend() as opened:
        yield opened
    await close_pool(pool, timeout_s=5)


@asynccontextmanager
async def undone(connection: Any) -> AsyncIterator[None]:
    """What a query changes when it is explained is there for the next one as before."""
    transaction = connection.transaction()
    await transaction.start()
    yield
    await transaction.rollback()


def literal(value: object) -> str:
    if isinstance(value, list):
        return "'{" + ",".join(map(str, value)) + "}'"
    return f"'{value}'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def rows_touched(plan: dict[str, Any]) -> int:
    """What every scan read from a table or an index, thrown away or not; rows of arrays and CTEs do not count."""
    touched = 0.0
    for node in nodes(plan):
        if "Relation Name" in node or node["Node Type"] == "Bitmap Index Scan":
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            touched += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return round(touched)


def arguments_of(hot: Hot) -> str:
    aggregate, name = hot.query.split(".")
    return ", ".join(literal(hot.arguments[parameter]) for parameter in read_queries(aggregate)[name].parameters)


async def planned(connection: Any, sql: str, arguments: str, mode: str) -> dict[str, Any]:
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE shaped AS {sql}")
    told = await connection.fetchval(f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE shaped ({arguments})")
    await connection.execute("DEALLOCATE shaped")
    plan: dict[str, Any] = json.loads(told)[0]["Plan"]
    return plan


def steps(plan: dict[str, Any]) -> list[tuple[str, ...]]:
    """What a plan does, in order, without costs and names of columns."""
    facts = ("Node Type", "Parent Relationship", "Join Type", "Relation Name", "Index Name", "Scan Direction")
    return [tuple(str(node.get(fact, "")) for fact in facts) for node in nodes(plan)]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", sorted(WRITTEN_OUT))
async def test_a_shape_costs_nothing(connection: Any, name: str, mode: str) -> None:
    hot = next(hot for hot in HOT if hot.query == name)
    aggregate, query = name.split(".")
    with_shape = await planned(connection, read_queries(aggregate)[query].sql, arguments_of(hot), mode)
    written_out = await planned(connection, WRITTEN_OUT[name], arguments_of(hot), mode)
    assert steps(with_shape) == steps(written_out)


@pytest.mark.parametrize("aggregate", ["people", "graph", "posts", "comments", "feed", "chat", "sync"])
async def test_no_query_calls_a_shape_as_a_function(connection: Any, aggregate: str) -> None:
    for query in read_queries(aggregate).values():
        arguments = ", ".join("NULL" for _ in query.parameters)
        plan = await planned(connection, query.sql, arguments, "force_generic_plan")
        assert not SHAPES.findall(json.dumps(plan)), query.name


def is_empty(scan: dict[str, Any]) -> bool:
    """Whether the table was read and had no row, such as a partition of a day to come: an index would save nothing."""
    return bool(scan["Actual Loops"]) and not scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("hot", HOT, ids=[f"{place}-{hot.query}" for place, hot in enumerate(HOT)])
async def test_hot_queries_take_their_indexes_and_touch_few_rows(connection: Any, hot: Hot, mode: str) -> None:
    aggregate, name = hot.query.split(".")
    query = read_queries(aggregate)[name]
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE hot AS {query.sql}")
    async with undone(connection):
        told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE hot ({arguments_of(hot)})")
    plan = json.loads(told)[0]["Plan"]
    whole = [node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan" and not is_empty(node)]
    assert set(whole) <= {"blocks", "epochs"}, "reads whole tables"  # epochs has one row
    whole_index = dict(await connection.fetch(INDEXES_OF_PARTITIONS))
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    assert hot.indexes <= {whole_index.get(index, index) for index in used}
    assert 0 < rows_touched(plan) <= hot.rows_touched
    for partitioned, probes in hot.probes.items():
        probed = [node["Actual Loops"] for node in nodes(plan) if node.get("Relation Name", "").startswith(partitioned)]
        assert 0 < sum(probed) <= probes, f"looks into more partitions of {partitioned} than it needs"


TOGETHER = (
    "feed.home_page",
    "posts.list_posts",
    "posts.list_likers",
    "comments.list_comments",
    "graph.list_followers",
    "chat.list_messages_before",
)
VIEWERS = [VIEWER, STAR, CHATTERER, 1_500, 2_500]


def of_viewer(hot: Hot, viewer_id: int) -> dict[str, Any]:
    return hot.arguments | {"viewer_ids": [viewer_id]}


def together(calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The arrays of one statement for these calls, whose own arrays are for one call each."""
    joined = {name: [value for call in calls for value in call[name]] for name in calls[0]}
    if "ids" in joined:
        step = len(calls[0]["ids"])
        joined["ids_firsts"] = [1 + place * step for place in range(len(calls))]
        joined["ids_lasts"] = [step + place * step for place in range(len(calls))]
    return joined


async def touched(connection: Any, sql: str, parameters: Sequence[str], arguments: dict[str, Any]) -> int:
    await connection.execute(f"PREPARE touching AS {sql}")
    values = ", ".join(literal(arguments[parameter]) for parameter in parameters)
    told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE touching ({values})")
    await connection.execute("DEALLOCATE touching")
    return rows_touched(json.loads(told)[0]["Plan"])


@pytest.mark.parametrize("name", TOGETHER)
async def test_calls_together_touch_no_more_rows_than_one_by_one(connection: Any, name: str) -> None:
    hot = next(hot for hot in HOT if hot.query == name)
    aggregate, query_name = name.split(".")
    query = read_queries(aggregate)[query_name]
    calls = [of_viewer(hot, viewer_id) for viewer_id in VIEWERS]
    alone = [await touched(connection, query.sql, query.parameters, call) for call in calls]
    assert await touched(connection, query.sql, query.parameters, together(calls)) <= sum(alone)


async def test_a_page_of_the_feed_costs_what_it_costs_one_caller(connection: Any) -> None:
    """Against the statement as one caller writes it, with its values known."""
    plain, query = read_statements()["plain.home_page"], read_queries("feed")["home_page"]
    for hot in (hot for hot in HOT if hot.query == "feed.home_page"):
        for viewer_id in VIEWERS:
            call = of_viewer(hot, viewer_id)
            single = {name.removesuffix("s"): value[0] for name, value in call.items()} | {"ids": call["ids"]}
            most = await touched(connection, plain.text, plain.parameters, single)
            # The rows of the viewer and of the epoch, for the version.
            assert await touched(connection, query.sql, query.parameters, call) <= most + 2


@asynccontextmanager
async def plans_within(connection: Any, mode: str) -> AsyncIterator[list[dict[str, Any]]]:
    """The plans of all statements that run in it, those within functions and of foreign keys too, when it ends."""
    told: list[str] = []

    def hear(_: Any, notice: Any) -> None:
        told.append(notice.message)

    connection.add_log_listener(hear)
    await connection.execute(
        f"""
        LOAD 'auto_explain';
        SET plan_cache_mode = {mode};
        SET auto_explain.log_min_duration = 0;
        SET auto_explain.log_nested_statements = on;
        SET auto_explain.log_analyze = on;
        SET auto_explain.log_format = json;
        SET auto_explain.log_level = notice;
        """
    )
    plans: list[dict[str, Any]] = []
    yield plans
    await connection.execute("SET auto_explain.log_min_duration = -1")
    connection.remove_log_listener(hear)
    plans += [json.loads(text.partition("plan:")[2])["Plan"] for text in told if "plan:" in text]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_messages_are_sent_by_index_into_their_own_partitions(connection: Any, mode: str) -> None:
    send = await connection.prepare(read_queries("chat")["send_message"].sql)
    talks = list(range(1, 65))
    async with undone(connection), plans_within(connection, mode) as plans:
        sent = await send.fetch(talks, [CHATTERER] * 64, ["hello"] * 64, [1] * 64, [str(n) for n in talks], False)
    assert {row["outcome"] for row in sent} == {"sent"}
    touched = [node for plan in plans for node in nodes(plan)]
    assert {node["Relation Name"] for node in touched if node["Node Type"] == "Seq Scan"} <= {"blocks", "epochs"}
    used = {node["Index Name"] for node in touched if "Index Name" in node and node["Actual Loops"]}
    whole_index = dict(await connection.fetch(INDEXES_OF_PARTITIONS))
    assert {whole_index.get(index, index) for index in used} >= {
        "conversations_pkey",
        "conversation_members_pkey",
        "messages_client_id_key",
    }
    looked_into = [
        node["Actual Loops"]
        for node in touched
        if node.get("Relation Name", "").startswith("messages_") and node["Node Type"] != "ModifyTable"
    ]
    assert sum(looked_into) == len(talks)
    assert sum(map(rows_touched, plans)) < 30 * len(talks)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(("post_ids", "row_limit", "removed"), [([HOT_POST], 100, 201), ([7, 11, 13], 5_000, 21)])
async def test_deleted_posts_are_removed_by_index(
    connection: Any, post_ids: list[int], row_limit: int, removed: int, mode: str
) -> None:
    """Their likes, bookmarks and comments too, and what foreign keys look for then."""
    remove = read_queries("posts")["delete_old_posts"].sql
    async with undone(connection):
        await connection.execute(
            "UPDATE posts SET deleted_at = now() - interval '1 day', text = '' WHERE id = ANY($1)", post_ids
        )
        moment = await connection.fetchval("SELECT now()")
        async with plans_within(connection, mode) as plans:
            assert await connection.fetchval(remove, moment, row_limit) == removed
    touched = [node for plan in plans for node in nodes(plan)]
    assert {node["Relation Name"] for node in touched if node["Node Type"] == "Seq Scan"} == set()
    used = {node["Index Name"] for node in touched if "Index Name" in node and node["Actual Loops"]}
    assert used >= {"posts_deleted_idx", "bookmarks_post_idx", "comments_post_idx", "comment_likes_pkey"}
    assert used & {"post_likes_pkey", "post_likes_newest_idx"}
    assert sum(map(rows_touched, plans)) < 8 * removed
