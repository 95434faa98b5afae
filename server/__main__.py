"""The command line: `python -m server COMMAND`, or `./run COMMAND`."""

import errno
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from server.cli_error import CliError
from server.config import Settings, SettingsError, load_settings
from server.dev.embedded_binaries import EmbeddedError

Port = Annotated[int | None, typer.Option(help="Port to listen on, instead of PORT.", min=0, max=65535)]
Host = Annotated[str | None, typer.Option(help="Address to listen on, instead of HOST.")]

cli = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
facts_cli = typer.Typer(rich_markup_mode=None)
cli.add_typer(facts_cli, name="facts")
user_cli = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
cli.add_typer(user_cli, name="user", help="Decide about a user: role, ban, unban, delete. It is noted in the audit.")
post_cli = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
cli.add_typer(post_cli, name="post", help="Decide about a post: delete. It is noted in the audit.")

Username = Annotated[str, typer.Argument(help="Without regard to case.")]
Reason = Annotated[str, typer.Option(help="Why; it is noted.")]


@cli.command()
def up(port: Port = None, host: Host = None) -> None:
    """Start everything, with an embedded PostgreSQL and Valkey unless their addresses are set."""
    from server.commands.up import up

    up(_settings(port=port, host=host))


@cli.command()
def serve(port: Port = None, host: Host = None) -> None:
    """Start only a server."""
    from server.commands.process import run_part

    run_part(_settings(port=port, host=host), serve=True, work=False)


@cli.command()
def worker() -> None:
    """Start only a worker."""
    from server.commands.process import run_part

    run_part(_settings(), serve=False, work=True)


@cli.command()
def services() -> None:
    """Start only PostgreSQL and Valkey, and print their addresses."""
    from server.commands.services import services

    services(_settings())


@cli.command()
def cluster(
    nodes: Annotated[int, typer.Option(help="How many servers.", min=1, max=16)] = 3,
    workers: Annotated[int, typer.Option(help="How many workers.", min=1, max=16)] = 1,
    port: Port = None,
    host: Host = None,
) -> None:
    """Start several servers behind nginx, as a big installation has them."""
    from server.commands.cluster import cluster

    cluster(_settings(port=port, host=host), nodes=nodes, workers=workers)


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from server.commands.migrate import migrate

    migrate(_settings())


@cli.command()
def seed(
    people: Annotated[int, typer.Option(help="How many people.", min=1)] = 200,
    posts: Annotated[int, typer.Option(help="How many posts.", min=0)] = 2_000,
    graph: Annotated[
        Path | None,
        typer.Option(
            help="A file with one friendship a line, two numbers; its people come instead of --people.", exists=True
        ),
    ] = None,
    tokens: Annotated[Path | None, typer.Option(help="Write access tokens for load clients into this file.")] = None,
) -> None:
    """Write a demo network into the database."""
    from server.commands.seed import seed

    seed(_settings(), people=people, posts=posts, graph=graph, tokens=tokens)


@cli.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete the data folder with the embedded database."""
    from server.commands.reset import reset

    reset(_settings(), yes=yes)


@facts_cli.callback(invoke_without_command=True)
def facts(context: typer.Context) -> None:
    """Show how far each consumer is behind, or look after what it has given up on."""
    if context.invoked_subcommand is None:
        from server.commands.facts import show_lags

        show_lags(_settings())


@facts_cli.command()
def parked() -> None:
    """Show the Facts that a consumer has given up on."""
    from server.commands.facts import show_parked

    show_parked(_settings())


@facts_cli.command()
def replay() -> None:
    """Give them to their consumers again."""
    from server.commands.facts import replay

    replay(_settings())


@facts_cli.command()
def rewind(
    consumer: Annotated[str, typer.Argument(help="Its name, as `facts` shows it.")],
    to: Annotated[datetime, typer.Option(help="UTC.", formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"])],
) -> None:
    """Let a consumer deal again with all Facts since a moment, without pushes for those that it has had."""
    from server.commands.facts import rewind

    rewind(_settings(), consumer, to=to.replace(tzinfo=UTC))


@facts_cli.command()
def forget(consumer: Annotated[str, typer.Argument(help="Its name, as `facts` shows it.")]) -> None:
    """Remove a consumer that no worker has any more, so that Facts are not kept for it."""
    from server.commands.facts import forget

    forget(_settings(), consumer)


@user_cli.command("role")
def user_role(
    username: Username, role: Annotated[str, typer.Argument(help="user, moderator or admin.")], reason: Reason = ""
) -> None:
    """Give a user a role."""
    from server.commands.moderation import set_role

    set_role(_settings(), username, role, reason=reason)


@user_cli.command("ban")
def user_ban(username: Username, reason: Reason = "") -> None:
    """Suspend a user: they are logged out, and nobody sees them or what they published."""
    from server.commands.moderation import ban

    ban(_settings(), username, reason=reason)


@user_cli.command("unban")
def user_unban(username: Username, reason: Reason = "") -> None:
    """Take a ban back."""
    from server.commands.moderation import unban

    unban(_settings(), username, reason=reason)


@user_cli.command("delete")
def user_delete(username: Username, reason: Reason = "") -> None:
    """Delete an account; its user can take that back within 14 days by logging in."""
    from server.commands.moderation import delete_user

    delete_user(_settings(), username, reason=reason)


@user_cli.command("acts")
def user_acts(username: Username) -> None:
    """Show the last acts on a user: when, who, what, why."""
    from server.commands.moderation import show_acts

    show_acts(_settings(), username)


@post_cli.command("delete")
def post_delete(post_id: Annotated[str, typer.Argument(help="The id of the post.")], reason: Reason = "") -> None:
    """Delete a post for good."""
    from server.commands.moderation import delete_post

    delete_post(_settings(), post_id, reason=reason)


@cli.command()
def new_feature(
    name: Annotated[str, typer.Argument(help="Its name, in the plural: `polls`.")],
    noun: Annotated[str | None, typer.Option(help="One of them: `poll`; by default the name without its s.")] = None,
    namespace: Annotated[str, typer.Option(help="The Socket.IO namespace of its commands.")] = "/users",
) -> None:
    """Write the skeleton of a new feature, with its tests."""
    from server.commands.new_feature import new_feature
    from server.config import CHECKOUT

    for path in new_feature(name, noun=noun, namespace=namespace):
        print(path.relative_to(CHECKOUT))


@cli.command()
def docs(
    release: Annotated[
        bool, typer.Option("--release", help="Also write those by which later versions are judged: a version is out.")
    ] = False,
) -> None:
    """Bring the documents of the API in docs/api/ up to date, and tell what of it would break clients."""
    from server.commands.docs import breaks_since_release, docs
    from server.config import CHECKOUT

    for path in docs(release=release):
        print(path.relative_to(CHECKOUT))
    for told in breaks_since_release():
        print(f"breaks clients: {told}")


@cli.command()
def doctor(port: Port = None, host: Host = None) -> None:
    """Look for what would keep Rookery from starting."""
    from server.commands.doctor import examine

    if not examine(_settings(port=port, host=host)):
        raise typer.Exit(1)


def _settings(*, port: int | None = None, host: str | None = None) -> Settings:
    from server.monitoring.logs import set_up_logging

    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    settings = load_settings(**given)
    set_up_logging(log_format=settings.log_format, level="debug" if settings.debug else settings.log_level)
    return settings


def main() -> int:
    """Runs the command; a failure is one line on standard error, and the exit code."""
    # outside of the time in which the server has its own handlers, the embedded servers must be stopped too
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # a shell without job control starts what it puts into the background with this signal ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
        signal.signal(signal.SIGHUP, lambda number, frame: os.kill(os.getpid(), signal.SIGTERM))
    try:
        cli()
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail("the disk is full: free some space, then start again")
        raise
    except Exception as error:
        if isinstance(error, _one_line_errors()):
            return _fail(str(error).splitlines()[0])
        raise
    return 0


def _one_line_errors() -> tuple[type[Exception], ...]:
    """The errors whose message is one line for the user at the terminal."""
    from server.accounts.secrets_file import SecretsError
    from sql.errors import Unavailable
    from sql.migrate import MigrationFailed

    return (CliError, EmbeddedError, SettingsError, SecretsError, MigrationFailed, Unavailable)


def _fail(line: str) -> int:
    print(f"rookery: {line}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
