import json
import subprocess
import sys
from pathlib import Path

import pytest

_LOGGING = """
import logging, sys, structlog
from server.monitoring.logs import set_up_logging

set_up_logging(log_format=sys.argv[1], level="info")
log = structlog.get_logger()
log.debug("unimportant")
log.info("stored", post_id=1 << 70, text="\\ud800", kind=object)
logging.getLogger("library").warning("slow by %s ms", 5, extra={"step": "read"})
password = "hunter2"
try:
    raise ValueError("wrong")
except ValueError:
    log.exception("failed")
    logging.getLogger("library").exception("failed too")
"""


def log_lines(log_format: str) -> list[str]:
    # in a process of its own: logging is set up once for a whole process
    done = subprocess.run(
        [sys.executable, "-c", _LOGGING, log_format], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr.splitlines()


def test_json_is_one_object_a_line_for_every_logger() -> None:
    lines = [json.loads(line) for line in log_lines("json")]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "stored"),
        ("warning", "slow by 5 ms"),
        ("error", "failed"),
        ("error", "failed too"),
    ]
    assert all(line["time"].endswith("Z") for line in lines)
    assert lines[0]["post_id"] == 1 << 70 and lines[0]["text"] == "\ud800"
    assert (lines[1]["logger"], lines[1]["step"]) == ("library", "read")
    assert all("ValueError: wrong" in line["exception"] for line in lines[2:])


_MALFORMED = """
import sys
from aiohttp import http_exceptions
from server.monitoring.logs import set_up_logging
import logging

set_up_logging(log_format="json", level=sys.argv[1])
for error in (http_exceptions.LineTooLong(b"GET /xxx"), http_exceptions.BadStatusLine(""), ValueError("ours")):
    try:
        raise error
    except Exception:
        logging.getLogger("aiohttp.server").exception("Error handling request from ::1")
"""


@pytest.mark.parametrize(("level", "levels"), [("info", ["error"]), ("debug", ["debug", "debug", "error"])])
def test_what_is_no_http_is_no_error_of_ours(level: str, levels: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MALFORMED, level], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == levels
    assert "ValueError: ours" in lines[-1]["exception"]


def test_without_a_terminal_the_log_is_for_machines() -> None:
    assert json.loads(log_lines("auto")[0])["event"] == "stored"


def test_tracebacks_do_not_show_what_variables_hold() -> None:
    for log_format in ("json", "console"):
        lines = "\n".join(log_lines(log_format))
        assert "ValueError" in lines and "hunter2" not in lines
