from __future__ import annotations

import datetime

import pytest

from server.config import SettingsError, load_settings
from tests.kit.server import RunningServer, running_server, settings_for_tests

PATH = "/.well-known/security.txt"


async def test_it_names_the_contact_and_expires_within_a_year(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, security_contact="mailto:security@a.example")
    async with running_server(settings) as server, server.http.get(server.url + PATH) as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        fields = dict(line.split(": ", 1) for line in (await response.text()).splitlines())
    assert fields["Contact"] == "mailto:security@a.example"
    left = datetime.datetime.fromisoformat(fields["Expires"]) - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=100) < left < datetime.timedelta(days=365)


async def test_without_a_contact_there_is_none(server: RunningServer) -> None:
    async with server.http.get(server.url + PATH) as response:
        assert response.status == 404


def test_a_contact_is_an_address() -> None:
    with pytest.raises(SettingsError, match="SECURITY_CONTACT"):
        load_settings(security_contact="security@a.example")
