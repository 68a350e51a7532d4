"""What aiohttp complains of below our handlers: requests that are no HTTP, and faults of our own.

Its messages quote the request and name the visitor's address, so they are not logged as they are: noise from the
internet is counted, a fault of ours becomes one line with its kind and place, never with its text.
"""

from __future__ import annotations

import logging
import traceback

from aiohttp.http_exceptions import HttpProcessingError

from proxy.collector.answers import RequestRefusal
from proxy.observe.logs import get_logger
from proxy.observe.metrics import requests_refused

_log = get_logger("collector")
_noise = requests_refused.labels(RequestRefusal.BAD_HTTP)


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
