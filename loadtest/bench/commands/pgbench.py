"""Scripts for pgbench with the product's statements, and the reading of its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtest.bench.calls import World
from loadtest.bench.commands.plans import PLANS, Given, Plan, Source, Step
from loadtest.bench.commands.statements import Statement, statement


def commands_of(world: World, command: str) -> list[str]:
    """The commands that one run of the script executes."""
    return list(dict.fromkeys(call.name for call in world.calls(command, 0)))


def script(world: World, command: str, clients: int, statements: Mapping[str, Statement]) -> str:
    """A pgbench script that executes each call of a command once; each client is another caller.

    For a feed all are the first caller: its list of ids is a variable, and pgbench has no variables by client.
    """
    callers = world.callers[: 1 if command == "feed" else clients]
    lines = [
        _choice("me", ":client_id", [caller.user_id for caller in callers]),
        _choice("conversation_id", ":client_id", [caller.conversation_id for caller in callers]),
        _choice("post_id", f"random(0, {len(world.post_ids) - 1})", world.post_ids),
        _choice("user_id", f"random(0, {len(world.user_ids) - 1})", world.user_ids),
    ]
    return "\n".join([*lines, *(_command(PLANS[name], statements) for name in commands_of(world, command))]) + "\n"


def _choice(name: str, number: str, values: Sequence[int]) -> str:
    r"""`\set name` to the value of this number. pgbench has no lists: the number is found by halving."""

    def tree(low: int, high: int) -> str:
        if high - low == 1:
            return str(values[low])
        middle = (low + high) // 2
        return f"case when :place < {middle} then {tree(low, middle)} else {tree(middle, high)} end"

    return f"\\set place {number}\n\\set {name} {tree(0, len(values))}"


def _command(plan: Plan, statements: Mapping[str, Statement]) -> str:
    return "\n".join(_step(step, statements) for step in plan.steps)


def _step(step: Step, statements: Mapping[str, Statement]) -> str:
    found = statement(statements, step.statement, list(step.arguments))
    text = found.text.rstrip().rstrip(";")
    # From the last to the first, so that $1 is not found in $10.
    for number in range(len(found.parameters), 0, -1):
        text = text.replace(f"${number}", _source(step.arguments[found.parameters[number - 1]]))
    return f"{text};"


def _source(argument: Source) -> str:
    if isinstance(argument, Given):
        return f":{argument.name}"
    if argument is None:
        return "NULL"
    if isinstance(argument, int):
        return str(argument)
    if isinstance(argument, str):
        return "'" + argument.replace("'", "''") + "'"
    items = ",".join('"' + str(item).replace("\\", "\\\\").replace('"', '\\"') + '"' for item in argument)
    return _source("{" + items + "}")


def read_durations_s(logs: Sequence[Path], *, began_s: float, ended_s: float) -> list[float]:
    """The durations of the transactions that ended between these two times, from the logs of all threads."""
    durations_s = []
    for log in logs:
        for line in log.read_text().splitlines():
            _client, _number, took_us, _script, ended_at_s, ended_at_us, *_ = line.split()
            if took_us.isdigit() and began_s <= int(ended_at_s) + int(ended_at_us) / 1e6 < ended_s:
                durations_s.append(int(took_us) / 1e6)
    return durations_s
