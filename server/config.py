"""All settings: name with unit, default, purpose. `python -m server.config` prints them as the table of the README."""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from realtime.engine.http.origins import ANY_ORIGIN, read_allowed_origin

CHECKOUT = Path(__file__).resolve().parents[1]

Commas = NoDecode  # lists in the environment are separated by commas, not written as JSON


class SettingsError(Exception):
    """A setting has an invalid value; the message names the setting, in one line."""


class Settings(BaseSettings):
    """Reads the environment first and then the file `.env` in the checkout. Names have no prefix."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a URL may contain a password
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 makes it reachable from other machines.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    node_name: str = Field(
        "",
        pattern=r"^([A-Za-z0-9]{1,16})?$",
        description="Prefix (before `-`) of the session ids of this process, by which a load balancer routes polling "
        "clients back to it; empty: a single process, or no polling clients.",
    )
    debug: bool = Field(False, description="Log more, and check the event loop; slow.")
    data_dir: Path = Field(
        CHECKOUT / ".data",
        description="Folder of the embedded servers' data and of generated secrets; by default `.data` in the "
        "checkout.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`json`, `console` (for reading), or `auto`: console on a terminal, else json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    database_url: str = Field(
        "",
        repr=False,
        description="PostgreSQL 15 or newer (`postgresql+asyncpg://` is understood); empty: the embedded server.",
    )
    database_direct_url: str = Field(
        "",
        repr=False,
        description="The same database past a pooler, for migrations; empty: they too use `DATABASE_URL`.",
    )
    database_named_statements: bool = Field(
        True,
        description="`false` for a pooler in transaction mode that does not carry prepared statements (PgBouncer "
        "before 1.21, or without `max_prepared_statements`): each statement then has a transaction, and takes three "
        "times as long.",
    )
    pool_min: int = Field(2, ge=0, description="PostgreSQL connections that a process keeps open when idle.")
    pool_max: int = Field(
        10,
        ge=1,
        description="Most PostgreSQL connections of a process, besides one reserved for revocations; more help only "
        "with more cores.",
    )
    connect_timeout_s: float = Field(5.0, gt=0, description="Timeout for connecting to PostgreSQL.")
    acquire_timeout_s: float = Field(
        2.0,
        gt=0,
        description="How long a command waits for a PostgreSQL connection while none becomes free, before it answers "
        "`unavailable`.",
    )
    turn_timeout_s: float = Field(
        8.0,
        gt=0,
        description="How long a command waits while those that came earlier get theirs (many write, or reconnect, at "
        "once), before it answers `unavailable`; reads use at most half of the connections, so that writes find free "
        "ones.",
    )
    statement_timeout_ms: int = Field(
        5_000,
        gt=0,
        description="PostgreSQL cancels a statement that takes longer. This and the next one are stored in the "
        "database, for the user of `DATABASE_URL`, at every start: give all processes the same.",
    )
    idle_in_transaction_timeout_ms: int = Field(
        10_000,
        gt=0,
        description="PostgreSQL ends a transaction that is idle for longer; must stay far below the 60 s of "
        "revocations that are read again. Until it ends, Facts wait, and clients that catch up get more twice.",
    )
    redis_url: str = Field("", repr=False, description="Redis 7 or Valkey 7.2 or newer; empty: the embedded server.")

    token_secrets: Annotated[tuple[tuple[str, str], ...], Commas] = Field(
        (),
        repr=False,
        description="Signing keys of access tokens as `kid:secret,kid:secret`: the first signs, all verify, so that "
        "keys can be rotated without logging users out; empty: generated once and kept in `DATA_DIR`.",
    )
    access_token_ttl_s: int = Field(900, gt=0, description="Lifetime of an access token.")
    refresh_token_ttl_s: int = Field(30 * 86_400, gt=0, description="How long a login session lasts without use.")
    refresh_grace_s: int = Field(
        30,
        ge=0,
        description="How long a refresh may be repeated, because its answer was lost, without being treated as token "
        "theft.",
    )
    password_hash_concurrency: int = Field(
        2, ge=1, description="Passwords hashed at the same time; each takes one core for about 30 ms, and 19 MiB."
    )
    password_hash_memory_kib: int = Field(
        19 * 1_024,
        ge=8,
        description="Memory that hashing one password takes, and in proportion its time. Less makes stolen hashes "
        "easier to guess; a new value takes effect for each account at its next login.",
    )
    password_hash_waiting_max: int = Field(
        64, ge=0, description="Passwords that may wait to be hashed; further callers get a retryable error."
    )
    registrations_per_hour: int = Field(
        60, ge=1, description="Accounts that one network (an IPv4 address, an IPv6 /64) may register in an hour."
    )
    rate_limit_factor: float = Field(1.0, gt=0, description="Multiplies every rate limit; raise it for load tests.")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], Commas] = Field(
        (),
        description="Networks of proxies whose forwarding headers are trusted, as `10.0.0.0/8,::1/128`; empty: none.",
    )
    forwarded_header: str = Field(
        "X-Forwarded-For",
        pattern=r"^[A-Za-z0-9-]+$",
        description="The one header in which trusted proxies name the client: `X-Forwarded-For`, `Forwarded` (RFC "
        "7239), or another that holds its address, as `CF-Connecting-IP`.",
    )
    security_contact: str = Field(
        "",
        pattern="^((mailto:|https://|tel:).+)?$",
        description="Whom to tell of a vulnerability, as `mailto:security@a.example` or a page, for "
        "`/.well-known/security.txt`; empty: there is no such file.",
    )
    allowed_origins: Annotated[tuple[str, ...], Commas] = Field(
        (),
        description="Origins of web pages and apps that may open sockets and call REST, as `https://a.example`, "
        "`https://*.a.example`, `http://localhost:*`, `capacitor://localhost`, with commas between them; `*`: all; "
        "empty: only pages of this server.",
    )
    demo_login: str = Field(
        "",
        description="An account that the console at `/docs` offers to everybody with one click, as "
        "`username:password`; `./run` offers that of the demo network.",
    )

    ping_interval_ms: int = Field(
        25_000,
        ge=100,
        description="How often the server pings a socket. With `PING_TIMEOUT_MS` it bounds how long a lost client goes "
        "unnoticed: pushes are kept for recovery that much longer, and a polling client may take so long for a body.",
    )
    ping_timeout_ms: int = Field(
        20_000, ge=100, description="A socket that does not answer a ping within this time is closed."
    )
    socket_connect_timeout_ms: int = Field(
        45_000, ge=100, description="A socket that has not joined a namespace within this time is closed."
    )
    max_packet_bytes: int = Field(1_000_000, ge=1_024, description="Largest packet, polling body and REST body.")
    body_timeout_s: float = Field(30.0, gt=0, description="How long a REST client may take to send its body.")
    max_unread_bytes: int = Field(
        1_048_576,
        ge=65_536,
        description="Most bytes queued for a socket that does not read; beyond that the client is disconnected and "
        "re-syncs.",
    )
    max_frames_per_s: int = Field(
        5_000,
        ge=100,
        description="WebSocket frames per second that a client may send; beyond that the connection is closed as a "
        "flood.",
    )
    recovery_window_s: float = Field(
        120.0,
        gt=0,
        description="How long after a loss (or its last poll) a client can recover its session and the pushes that it "
        "missed.",
    )
    recovery_log_max_bytes: int = Field(
        67_108_864,
        ge=65_536,
        description="Bytes of pushes that a node keeps for recovery; a client that missed more re-syncs.",
    )
    recovery_sessions_max: int = Field(
        50_000,
        ge=1,
        description="Lost clients whose sessions a node keeps; beyond that the oldest loss is dropped, and its client "
        "re-syncs.",
    )
    positions_every_s: float = Field(
        5.0,
        gt=0,
        le=10,
        description="How long after a message the last position of its conversation is pushed once more.",
    )
    presence_grace_s: float = Field(
        30.0,
        gt=0,
        description="How long a user without a connection still counts as online, so that watchers do not see "
        "reconnects.",
    )
    drain_timeout_s: float = Field(
        4.0,
        gt=0,
        description="How long a stopping server takes to close its connections; process managers kill after 5 s.",
    )

    fact_lease_s: float = Field(
        10.0,
        ge=0.5,
        description="A worker that was killed or hangs for this long loses its share of the Facts to other workers.",
    )
    reaction_timeout_s: float = Field(
        30.0, gt=0, description="A consumer of Facts that takes longer for a batch has failed on it."
    )
    facts_keep_days: int = Field(
        7, ge=1, description="Facts are kept for this many days, longer where a consumer has not read them."
    )
    facts_stream: str = Field(
        "", description="Name of a Redis Stream that Facts are copied to, for services of others; empty: none."
    )

    body_cache_max_bytes: int = Field(
        33_554_432,
        ge=0,
        description="Bytes of encoded posts that a process keeps, so that each is encoded once for all readers; one "
        "takes 1-6 KB. 0: none.",
    )
    feed_limit_default: int = Field(20, ge=1, le=100, description="Items of a page when the client sends no limit.")
    feed_fanout_max_followers: int = Field(
        10_000,
        ge=1,
        description="Posts of authors with this many followers are merged at read time, not pushed to feeds.",
    )
    feed_list_max: int = Field(
        800, ge=100, description="Newest posts of a home feed that Redis holds; older ones come from SQL."
    )
    feed_days_limit: int = Field(
        7, ge=1, description="Home feeds of users who were not seen for this many days are removed from Redis."
    )

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def _strip_driver(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if value and scheme.split("+")[0] not in ("postgresql", "postgres"):
            raise ValueError("must begin with postgresql://")
        return scheme.split("+")[0] + separator + rest

    @field_validator("database_direct_url")
    @classmethod
    def _beside_a_pooler(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("database_url"):
            raise ValueError("needs DATABASE_URL beside it")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if value and value.partition("://")[0] not in ("redis", "rediss", "unix"):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @field_validator("token_secrets", mode="before")
    @classmethod
    def _read_secrets(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = tuple(tuple(part.strip() for part in item.split(":", 1)) for item in _items(value))
        if any(len(pair) != 2 or not pair[0] or len(pair[1]) < 32 for pair in pairs):
            raise ValueError("must be kid:secret pairs with secrets of at least 32 characters")
        if len({pair[0] for pair in pairs}) != len(pairs):
            raise ValueError("must not name one kid twice")
        return pairs

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _read_networks(cls, value: Any) -> Any:
        return tuple(ip_network(item) for item in _items(value)) if isinstance(value, str) else value

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _read_origins(cls, value: Any) -> Any:
        given = _items(value) if isinstance(value, str) else value
        origins = tuple(re.sub("(?<!/)/$", "", item.lower()) for item in given)
        for origin in origins:
            if origin != ANY_ORIGIN:
                read_allowed_origin(origin)
        return origins


def load_settings(**overrides: object) -> Settings:
    """The settings of this process: `overrides` before the environment, the environment before the file.

    The variable ENV_FILE names a file to use instead of `.env`. Raises SettingsError.
    """
    try:
        return Settings(_env_file=os.environ.get("ENV_FILE") or CHECKOUT / ".env", **overrides)  # type: ignore[arg-type]  # pydantic checks the overrides like all input
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise SettingsError(f"{name} cannot be used: {first['msg'].removeprefix('Value error, ')}") from None


def table() -> str:
    """All settings in Markdown."""
    lines = ["| setting | default | what it is for |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `{name.upper()}` | {_shown(field.default)} | {field.description} |")
    return "\n".join(lines)


def _shown(default: object) -> str:
    if default in ("", ()):
        return ""
    if isinstance(default, Path):
        return f"`{default.relative_to(CHECKOUT)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


if __name__ == "__main__":
    print(table())
