"""`./run services` as developers meet it: in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

import pytest
import redis

from tests.house.checkout import CHECKOUT


def test_the_address_of_the_settings_and_of_a_started_server_are_printed_until_it_is_stopped(database_url: str) -> None:
    # A folder with a short name: a server in a folder with a long name puts its socket elsewhere.
    with tempfile.TemporaryDirectory(prefix="services-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "services"],
            env={**os.environ, "DATA_DIR": folder, "DATABASE_URL": database_url, "REDIS_URL": ""},
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            addresses = dict(process.stdout.readline().rstrip().split("=", 1) for _ in range(2))
            assert addresses["DATABASE_URL"] == database_url
            with redis.Redis.from_url(addresses["REDIS_URL"]) as client:
                assert client.ping() is True
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)
                with pytest.raises(redis.ConnectionError):
                    client.ping()
        finally:
            process.kill()
            process.wait()
