"""The log of a process: one JSON object a line for machines, coloured lines for people."""

import json
import logging
import sys
from typing import Any, Literal

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor

LogFormat = Literal["auto", "console", "json"]


def set_up_logging(*, log_format: LogFormat, level: str) -> None:
    """Sends all log lines, those of structlog and of the standard library, to standard error in one format."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console, key="time"),
    ]
    # plain tracebacks: local variables hold passwords and tokens
    rendering: list[Processor] = (
        [structlog.dev.ConsoleRenderer(timestamp_key="time", exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, _render_json]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    logging.captureWarnings(True)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # the metrics say more than a line per request
    logging.getLogger("aiohttp.server").addFilter(_lower_malformed_requests)


def _lower_malformed_requests(record: logging.LogRecord) -> bool:
    """Malformed HTTP is answered with 400; if it were logged as an error, any client could fill the log."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return record.levelno >= logging.getLogger().level


def _render_json(_logger: Any, _method: str, event: EventDict) -> str:
    event = {"time": event.pop("time", None), "level": event.pop("level", None), "event": event.pop("event"), **event}
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # values of clients may hold lone surrogates and numbers past 64 bits
        return json.dumps(event, default=str)
