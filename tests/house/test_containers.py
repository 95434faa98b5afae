"""Dockerfile, Compose file and Procfile fit together, as far as that shows without a container engine."""

import re
import shlex
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from typer.main import get_group

from server.__main__ import cli
from server.config import Settings
from tests.house.checkout import CHECKOUT


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Healthcheck(_Strict):
    test: list[str] = Field(min_length=2)
    interval: str = Field(pattern=r"^\d+s$")
    timeout: str = Field(pattern=r"^\d+s$")
    retries: int = Field(ge=1)


class Dependency(_Strict):
    condition: Literal["service_healthy", "service_completed_successfully"]


class Service(_Strict):
    """The part of the Compose specification that the file uses."""

    image: str | None = None
    build: str | None = None
    restart: Literal["no", "unless-stopped"]
    command: list[str] | None = None
    environment: dict[str, str] = {}
    ports: list[str] = []
    volumes: list[str] = []
    depends_on: dict[str, Dependency] = {}
    healthcheck: Healthcheck | None = None


class Compose(BaseModel):
    services: dict[str, Service]
    volumes: dict[str, None]


def _compose() -> Compose:
    document: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    assert all(name in ("services", "volumes") or name.startswith("x-") for name in document)
    return Compose.model_validate(document)


def _verbs() -> set[str]:
    return set(get_group(cli).commands)


def test_compose_has_all_parts() -> None:
    services = _compose().services
    assert set(services) == {"db", "redis", "release", "web", "worker"}
    assert (services["db"].image or "").startswith("postgres:")
    assert all(services[name].healthcheck for name in ("db", "redis", "web", "worker"))
    assert all((service.image is None) != (service.build is None) for service in services.values())
    assert "5432:5432" in services["db"].ports[0] and services["web"].ports == ["8000:8000"]


def test_compose_waits_only_for_what_can_be_waited_for() -> None:
    services = _compose().services
    for service in services.values():
        for name, dependency in service.depends_on.items():
            if dependency.condition == "service_healthy":
                assert services[name].healthcheck is not None
            else:
                assert services[name].restart == "no"


def test_compose_keeps_data_in_named_volumes() -> None:
    compose = _compose()
    used = {volume.split(":")[0] for service in compose.services.values() for volume in service.volumes}
    assert used == set(compose.volumes)
    assert any(volume.startswith("database:") for volume in compose.services["db"].volumes)


def test_compose_sets_only_settings_that_exist_and_addresses_that_are_there() -> None:
    services = _compose().services
    for name in ("release", "web", "worker"):
        environment = services[name].environment
        assert set(environment) <= {setting.upper() for setting in Settings.model_fields}
        assert "@db:5432/" in environment["DATABASE_URL"] and "//redis:6379" in environment["REDIS_URL"]


def test_what_is_started_are_verbs_of_the_command_line() -> None:
    started = {name: service.command for name, service in _compose().services.items() if service.build}
    processes = dict(line.split(": ", 1) for line in (CHECKOUT / "Procfile").read_text().splitlines())
    assert set(processes) == {"release", "web", "worker"} == set(started)
    for name, command in processes.items():
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "server"] and words[3] in _verbs()
        assert started[name] == words


def test_the_image_installs_what_is_locked() -> None:
    dockerfile = (CHECKOUT / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.\d+-slim$", dockerfile, re.MULTILINE)
    assert "--require-hashes -r requirements.lock" in dockerfile
    (environment,) = re.findall(r"^ENV (.+)$", dockerfile, re.MULTILINE)
    assert {name.lower() for name in re.findall(r"(\w+)=", environment)} <= set(Settings.model_fields)


def test_the_example_of_settings_names_real_ones() -> None:
    names = re.findall(r"^#?([A-Z_]+)=", (CHECKOUT / ".env.example").read_text(), re.MULTILINE)
    assert {"DATABASE_URL", "DEBUG", "FEED_LIMIT_DEFAULT", "FEED_DAYS_LIMIT"} <= set(names)
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_the_lock_files_hold_hashes_and_no_address() -> None:
    for name in ("requirements", "requirements-dev", "requirements-setup"):
        text = (CHECKOUT / f"{name}.lock").read_text()
        packages = re.findall(r"^(\S+)==\S+ .*\\$", text, re.MULTILINE)
        assert packages and len(packages) == len(re.findall(r"^\S+==", text, re.MULTILINE))
        assert not re.search(r"https?://|--index|--extra|--find-links", text)
        wanted = re.findall(r"^([A-Za-z][\w-]*)", (CHECKOUT / f"{name}.in").read_text(), re.MULTILINE)
        assert set(wanted) <= set(packages)
