"""What aiohttp complains of below our handlers: requests that are no HTTP, and faults of our own.

Its messages quote the request and name the visitor's address, so they are not logged as they are: noise from the
internet is counted, a fault of ours becomes one line with its kind and place, never with its text.
"""

from __future__ import annotations

import logging
import traceback
from http import HTTPStatus

from aiohttp.http_exceptions import HttpProcessingError

from proxy.clock import system_clock
from proxy.collector.answers import Reply, RequestRefusal, failure
from proxy.observe.logs import get_logger
from proxy.observe.metrics import requests_refused

HEADER_MAX = 32_768
"""Bytes of one header line. Visitors of busy sites carry more cookies than aiohttp's 8 kB hold, and attack nobody."""

HEAD_MAX = 65_536
"""Bytes of a whole head."""
HEAD_TOO_LARGE = failure(431, f"the headers are larger than {HEAD_MAX // 1024} KiB", b"Connection: close\r\n")

_log = get_logger("collector")
_noise = requests_refused.labels(RequestRefusal.BAD_HTTP)


def unreadable(status: int) -> Reply:
    """Instead of aiohttp's page, which quotes what came, cookies included."""
    ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    error = (
        "this went wrong here, not at your side" if ours else "no HTTP request as we read it (headers: 32 KiB a line)"
    )
    reply = failure(status, error).reply(system_clock())
    reply.force_close()
    return reply


class _Faults(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, HttpProcessingError):
            _noise.inc()
        elif fault is not None:
            place = traceback.extract_tb(fault.__traceback__)[-1:]
            where = f"{place[0].filename}:{place[0].lineno}" if place else ""
            _log.error("request failed", fault=type(fault).__name__, place=where)


def server_logger() -> logging.Logger:
    """For `AppRunner(logger=…)`; heard by nobody else."""
    logger = logging.getLogger("firsthand.http")
    logger.propagate = False
    logger.handlers = [_Faults()]
    return logger
