"""`./run loadtest`: measures answers and deliveries of a server on this machine."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from pathlib import Path

import gevent
from gevent.event import Event
from locust.env import Environment

from loadtest.generator_lag import GeneratorLag
from loadtest.journeys import Journey, PollingJourney, SocketJourney
from loadtest.mix import PROFILES
from loadtest.people import People
from loadtest.report import lines, store, table
from loadtest.target import NotALoopbackAddress, Target, running_server, started_server

RESULTS = Path(__file__).parent / "results"
PEOPLE_PER_USER = 2
POSTS = 5_000
SPAWN_PER_S = 25
SETTLE_S = 3


def main() -> int:
    options = _options()
    try:
        with contextlib.ExitStack() as stack:
            target = (
                running_server(options.url, options.tokens)
                if options.url
                else stack.enter_context(started_server(people=max(200, options.users * PEOPLE_PER_USER), posts=POSTS))
            )
            return _measure(target, options)
    except (NotALoopbackAddress, ValueError, OSError) as error:
        print(f"loadtest: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run loadtest", description=__doc__)
    parser.add_argument("--users", type=int, default=100, help="how many users at once; a tenth of them long-poll")
    parser.add_argument("--rate", type=float, default=100.0, help="commands per second, of all users together")
    parser.add_argument("--duration-s", type=int, default=60, help="how long to measure, after all users are connected")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="basic", help="what the users do")
    parser.add_argument("--url", help="a running server on this machine; default: start one")
    parser.add_argument("--tokens", type=Path, help="with --url: the file of `./run seed --tokens FILE`")
    parser.add_argument("--results", type=Path, metavar="DIR", default=RESULTS, help="folder for the figures")
    options = parser.parse_args()
    if options.url and not options.tokens:
        parser.error("--url needs --tokens: the file that `./run seed --tokens FILE` wrote")
    if options.users < 1 or options.rate <= 0 or options.duration_s < 1:
        parser.error("--users, --rate and --duration-s must be above zero")
    return options


def _measure(target: Target, options: argparse.Namespace) -> int:
    logging.getLogger("locust").setLevel(logging.WARNING)
    _prepare(target.people, options)
    polling = max(1, options.users // 10)
    PollingJourney.fixed_count, SocketJourney.fixed_count = polling, max(1, options.users - polling)
    environment = Environment(user_classes=[SocketJourney, PollingJourney], host=target.url, stop_timeout=10)
    runner = environment.create_local_runner()
    runner.start(options.users, spawn_rate=SPAWN_PER_S)
    if runner.spawning_greenlet is not None:
        runner.spawning_greenlet.join()
    Journey.all_connected.set()
    gevent.sleep(SETTLE_S)
    environment.stats.reset_all()
    lag = GeneratorLag()
    lag.start()
    gevent.sleep(options.duration_s)
    lag.stop()
    measured = lines(environment.stats)
    runner.quit()
    print(table(measured))
    late_ms = [f"{lag.percentile_ms(part):.0f} ms" for part in (0.5, 0.99)]
    print(f"the load generator itself was late by {late_ms[0]} P50, {late_ms[1]} P99")
    path = options.results / f"{options.profile}.json"
    store(
        path,
        measured,
        profile=options.profile,
        users=options.users,
        commands_per_s=options.rate,
        duration_s=options.duration_s,
    )
    print(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 1 if any(line.failures for line in measured) else 0


def _prepare(people: People, options: argparse.Namespace) -> None:
    Journey.people, Journey.profile = people, options.profile
    Journey.pause_s = options.users / options.rate
    Journey.all_connected = Event()


if __name__ == "__main__":
    sys.exit(main())
