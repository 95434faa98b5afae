"""No two pushes have one id."""

from realtime.engine.replay.push_ids import PushIds


def test_ids_differ_within_a_node_and_between_nodes() -> None:
    nodes = [PushIds() for _ in range(20)]
    assert len({node.make() for node in nodes for _ in range(50)}) == 1000
