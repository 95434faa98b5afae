from realtime.contract.wire import unix_ms
from sql.ids import EPOCH_MS, MAX_ID, id_floor_ms, ms_of_id
from tests.sql.world import World


def test_the_floor_of_a_moment_is_the_smallest_id_of_that_moment() -> None:
    moment_ms = EPOCH_MS + 123_456
    assert ms_of_id(id_floor_ms(moment_ms)) == moment_ms
    assert ms_of_id(id_floor_ms(moment_ms) - 1) == moment_ms - 1


def test_before_the_epoch_there_are_no_ids() -> None:
    assert id_floor_ms(0) == 0


async def test_python_and_sql_agree_on_the_floor(world: World) -> None:
    moment_ms = 1_790_000_000_123
    assert await world.value("SELECT id_floor(to_timestamp(1790000000.123))") == id_floor_ms(moment_ms)


async def test_an_id_tells_when_it_was_made(world: World) -> None:
    before_ms = await world.value("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    made = await world.value("SELECT make_id()")
    after_ms = await world.value("SELECT ceil(extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    assert before_ms <= ms_of_id(made) <= after_ms
    assert unix_ms(await world.value("SELECT id_moment($1)", made)) == ms_of_id(made)
    assert 0 < made < MAX_ID


async def test_the_moment_of_an_id_is_exact_to_the_millisecond(world: World) -> None:
    wrong = await world.value(
        """
        SELECT count(*)
        FROM generate_series(0, 99999) n, LATERAL (SELECT (700000000000 + n * 7919) << 22 AS id) made
        WHERE id_floor(id_moment(made.id)) <> made.id
        """
    )
    assert wrong == 0


async def test_rows_of_many_connections_get_distinct_ids(world: World) -> None:
    await world.at_once(
        [lambda db: db.facts.insert_facts(names=["f"] * 500, payloads=["{}"] * 500, keys=[1] * 500) for _ in range(16)]
    )
    assert await world.value("SELECT count(DISTINCT id) FROM facts WHERE name = 'f'") == 8_000


async def test_ids_made_one_after_the_other_in_different_milliseconds_ascend(world: World) -> None:
    made = [await world.value("SELECT make_id() FROM pg_sleep(0.002)") for _ in range(20)]
    assert made == sorted(made)


async def test_no_two_ids_of_a_millisecond_are_the_same(world: World) -> None:
    """As many as no database makes in that time, over the end of the sequence too."""
    different = await world.value(
        "SELECT count(DISTINCT id_at(t.moment)) FROM generate_series(1, 16384), (SELECT now()) AS t (moment)"
    )
    assert different == 16_384


async def test_the_moment_of_an_id_is_its_millisecond(world: World) -> None:
    for ms in (EPOCH_MS, EPOCH_MS + 1, 1_790_000_000_123, 1_790_000_000_999):
        moment = await world.value("SELECT id_moment($1)", id_floor_ms(ms) + 5)
        assert (moment.replace(microsecond=0).timestamp(), moment.microsecond) == (ms // 1000, ms % 1000 * 1000)


async def test_an_id_after_another_is_above_it_whatever_the_clock_says(world: World) -> None:
    now = await world.value("SELECT make_id()")
    assert ms_of_id(await world.value("SELECT id_after($1)", now)) - ms_of_id(now) < 1_000
    hour_ahead = await world.value("SELECT id_at(now() + interval '1 hour')")
    following = await world.value("SELECT id_after($1)", hour_ahead)
    assert ms_of_id(following) == ms_of_id(hour_ahead) + 1
