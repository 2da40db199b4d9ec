"""Starts a server: one process, or one a device."""

from __future__ import annotations

from pathlib import Path

import structlog

from inferfleet.config.serve import ServeFile
from inferfleet.errors import InputError
from inferfleet.serving.fleet import Fleet
from inferfleet.serving.server import Process, listen

_log = structlog.get_logger(__name__)

_FIRST_TRY = ("street-classifier-v1", "street-v1")


def launch(config: ServeFile, log_level: str = "INFO") -> None:
    """Serves until a signal comes.

    Raises:
        InferfleetError: A port cannot be had, or a model cannot be used.
    """
    sockets = listen(config)
    _log.info(
        "serving",
        host=config.host,
        port=sockets[0].getsockname()[1],
        admin_port=sockets[1].getsockname()[1] if len(sockets) > 1 else None,
    )
    if config.devices:
        Fleet(config, sockets, log_level).run()
    else:
        Process(config, sockets).run()


def first_try() -> str:
    """The model that is served when none is named: the classifier that ships, else the detector.

    Raises:
        InputError: None ships.
    """
    import inferfleet.vision

    folder = Path(inferfleet.vision.__file__).parent / "zoo"
    for name in _FIRST_TRY:
        if (folder / f"{name}.onnx").is_file():
            return f"zoo:{name}"
    raise InputError("no model ships with this build; name one with --model")
