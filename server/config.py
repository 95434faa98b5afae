"""Every setting: its name with its unit, its default, and why one would change it.

`python -m server.config` prints them as the table of the README.
"""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parents[1]

_ORIGIN = re.compile(r"\*|https?://[^/?#@\s]+")

Commas = NoDecode  # a list in the environment is written with commas, not as JSON


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names it, in one line."""


class Settings(BaseSettings):
    """What the environment says, and after it the file `.env` in the checkout. Names have no prefix."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,  # an address may hold a password
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 to be reached from other machines.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    node_name: str = Field(
        "",
        pattern=r"^([A-Za-z0-9]{1,16})?$",
        description="What the ids of this process begin with (then `-`), so that a load balancer can lead polling "
        "clients back to it; empty: one process alone, or nobody polls.",
    )
    debug: bool = Field(False, description="Tell more in the log, and check the event loop; slow.")
    data_dir: Path = Field(
        CHECKOUT / ".data",
        description="Folder of the embedded servers and of generated secrets; by default `.data` in the checkout.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`json` for machines, `console` for people, `auto`: console on a terminal, else json."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines that the log still shows."
    )

    database_url: str = Field(
        "",
        repr=False,
        description="PostgreSQL 15 or newer (`postgresql+asyncpg://` is understood); empty: the embedded one.",
    )
    pool_min: int = Field(2, ge=0, description="Connections to PostgreSQL that a process keeps open when idle.")
    pool_max: int = Field(
        10,
        ge=1,
        description="Connections to PostgreSQL that a process opens at most, beside one for revocations; "
        "more only help with more cores.",
    )
    connect_timeout_s: float = Field(5.0, gt=0, description="How long connecting to PostgreSQL may take.")
    acquire_timeout_s: float = Field(
        2.0, gt=0, description="How long a command waits for a free connection before it answers `unavailable`."
    )
    read_turn_timeout_s: float = Field(
        8.0,
        gt=0,
        description="How long a read waits in line, where very many come back at once, before it answers "
        "`unavailable`; reads take half of the connections, so that writes find some.",
    )
    statement_timeout_ms: int = Field(5_000, gt=0, description="PostgreSQL ends a statement that takes longer.")
    idle_in_transaction_timeout_ms: int = Field(
        10_000, gt=0, description="PostgreSQL ends a transaction that is left open; positions re-read 60 s, far more."
    )
    redis_url: str = Field("", repr=False, description="Redis 7 or Valkey 7.2 or newer; empty: the embedded one.")

    token_secrets: Annotated[tuple[tuple[str, str], ...], Commas] = Field(
        (),
        repr=False,
        description="Keys of access tokens as `kid:secret,kid:secret`; the first signs, all verify, so that keys "
        "can be changed without logging anybody out; empty: made once and kept in `DATA_DIR`.",
    )
    access_token_ttl_s: int = Field(900, gt=0, description="Life of an access token.")
    refresh_token_ttl_s: int = Field(30 * 86_400, gt=0, description="How long a login lasts that is not used.")
    refresh_grace_s: int = Field(
        30,
        ge=0,
        description="A refresh whose answer was lost may be repeated for so long without being taken for theft.",
    )
    password_hash_concurrency: int = Field(
        2, ge=1, description="Passwords hashed at once; each takes a core for some 30 ms and 19 MiB."
    )
    password_hash_waiting_max: int = Field(
        64, ge=0, description="Passwords that may wait for their turn; who comes then is told to try again."
    )
    rate_limit_factor: float = Field(1.0, gt=0, description="Multiplies every limit; raise it for load tests.")
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], Commas] = Field(
        (),
        description="Networks whose `X-Forwarded-For` is believed, as `10.0.0.0/8,::1/128`; empty: nobody's.",
    )
    allowed_origins: Annotated[tuple[str, ...], Commas] = Field(
        (),
        description="Origins of web pages that may open sockets and call REST, as "
        "`https://a.example,https://b.example`; `*`: all; empty: only pages of this server.",
    )

    ping_interval_ms: int = Field(25_000, ge=100, description="How often a socket is pinged.")
    ping_timeout_ms: int = Field(20_000, ge=100, description="A socket that has not answered for so long is gone.")
    socket_connect_timeout_ms: int = Field(
        45_000, ge=100, description="A socket that has not joined a namespace for so long is closed."
    )
    max_packet_bytes: int = Field(1_000_000, ge=1_024, description="Largest packet, polling body and REST body.")
    body_timeout_s: float = Field(30.0, gt=0, description="How long a REST client may take to send its body.")
    max_unread_bytes: int = Field(
        1_048_576, ge=65_536, description="What a socket may hold unread; over it the client is dropped and re-syncs."
    )
    max_frames_per_s: int = Field(
        5_000, ge=100, description="WebSocket frames that a client may send; over it it is closed as a flood."
    )
    recovery_window_s: float = Field(
        120.0, gt=0, description="How long a lost client, or one that polls, may come back and be told what it missed."
    )
    recovery_log_max_bytes: int = Field(
        67_108_864,
        ge=65_536,
        description="Pushes that a node remembers for that; who missed more than is there re-syncs.",
    )
    recovery_sessions_max: int = Field(
        50_000, ge=1, description="Lost clients whose sessions a node keeps; the first to be lost re-sync, if more are."
    )
    positions_every_s: float = Field(
        5.0, gt=0, le=10, description="How long after a message its conversation's last position is told once more."
    )
    presence_grace_s: float = Field(
        30.0, gt=0, description="How long somebody without a connection still counts as online: reconnects are silent."
    )
    drain_timeout_s: float = Field(
        4.0, gt=0, description="How long a stopping server takes for its clients; process managers kill after 5 s."
    )

    reclaim_idle_ms: int = Field(
        10_000,
        ge=100,
        description="A Fact that a worker has taken and said nothing of for so long is given to another: "
        "longer than any reaction takes.",
    )

    feed_limit_default: int = Field(20, ge=1, le=100, description="Items of a page when the client does not say.")
    feed_fanout_max_followers: int = Field(
        10_000,
        ge=1,
        description="Posts of people with this many followers are merged at read time, not pushed to feeds.",
    )
    feed_list_max: int = Field(
        800, ge=100, description="Newest posts of a home feed held in Redis; older ones from SQL."
    )
    feed_days_limit: int = Field(7, ge=1, description="Home feeds of people not seen for so many days leave Redis.")

    @field_validator("database_url")
    @classmethod
    def _strip_driver(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if value and scheme.split("+")[0] not in ("postgresql", "postgres"):
            raise ValueError("must begin with postgresql://")
        return scheme.split("+")[0] + separator + rest

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
        if not isinstance(value, str):
            return value
        origins = tuple(item.rstrip("/").lower() for item in _items(value))
        if any(_ORIGIN.fullmatch(origin) is None for origin in origins):
            raise ValueError("must be origins like https://a.example (a scheme and a host, no path), or *")
        return origins


def load_settings(**overrides: object) -> Settings:
    """The settings of this process; what is given here wins over the environment, and that over the file.

    The variable ENV_FILE names another file than `.env`. Raises SettingsError.
    """
    try:
        return Settings(_env_file=os.environ.get("ENV_FILE") or CHECKOUT / ".env", **overrides)  # type: ignore[arg-type]  # checked by pydantic, as everything from outside
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
