"""Logs: readable on a terminal, JSON lines everywhere else; always on standard error."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

from inferfleet.errors import InputError

CHATTY = ("uvicorn", "watchfiles", "botocore", "urllib3", "httpx")
"""Libraries whose progress is nobody's business; their warnings are."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def set_up(level: str, stream: TextIO | None = None) -> None:
    """Sends structlog's and the standard library's logs to one place, in one form.

    Args:
        level: One of `LEVELS`, in any case.
        stream: Where to; standard error when left out.

    Raises:
        InputError: The level is unknown.
    """
    if level.upper() not in LEVELS:
        raise InputError(f"LOG_LEVEL {level!r}: known levels are {', '.join(LEVELS)}")
    target = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    pretty = target.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    )
    errors: list[structlog.typing.Processor] = [] if pretty else [structlog.processors.format_exc_info]
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *errors, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
