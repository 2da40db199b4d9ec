"""`inferfleet run`: the worker."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferfleet.config.inline import config_file

if TYPE_CHECKING:
    from types import FrameType

    from inferfleet.config.cameras import CamerasFile
    from inferfleet.streams.worker import Worker


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("run")(run)


def run(
    config: Annotated[
        Path,
        typer.Option(
            "--config",
            "-c",
            envvar="CONFIG_FILE",
            help="The cameras.yaml.",
            exists=True,
            dir_okay=False,
            default_factory=lambda: config_file("cameras.yaml") or Path("cameras.yaml"),
            show_default="cameras.yaml",
        ),
    ],
    http_host: Annotated[str, typer.Option(envvar="HTTP_HOST", help="Address to serve on.")] = "0.0.0.0",
    http_port: Annotated[int, typer.Option(envvar="HTTP_PORT", help="Port to serve on; 0 takes a free one.")] = 8080,
    log_level: Annotated[str, typer.Option(envvar="LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read files from their beginning, whatever was processed before.")
    ] = False,
    spool: Annotated[
        Path | None,
        typer.Option(envvar="SPOOL_PATH", help="Folder of the spool, unless the file names one.", show_default="spool"),
    ] = None,
    table: Annotated[
        bool | None, typer.Option("--table/--no-table", help="Show a live table; on a terminal by default.")
    ] = None,
) -> None:
    """Run cameras through models and deliver events.

    The worker ends by itself when all its sources are files and have come to their end; stop it with SIGTERM or
    Ctrl-C, and apply a changed configuration by saving it, or with SIGHUP. It serves /healthz, /readyz, /status,
    /metrics and /snapshot/CAMERA.jpg.

    Example: `inferfleet run --config cameras.yaml`
    """
    import structlog

    from inferfleet import logs
    from inferfleet.config.base import read
    from inferfleet.config.cameras import CamerasFile
    from inferfleet.errors import InputError
    from inferfleet.streams.http import HttpServer, build_app
    from inferfleet.streams.reload import Reloader
    from inferfleet.streams.worker import Worker

    show_table = sys.stderr.isatty() if table is None else table
    logs.set_up("WARNING" if show_table and log_level == "INFO" else log_level)
    worker = Worker(_with_spool(read(config, CamerasFile), spool), base=config.parent, fresh=fresh)
    server = HttpServer(build_app(worker), http_host, http_port)
    reloader = Reloader(config, lambda changed: worker.apply(_with_spool(changed, spool)))
    stop = threading.Event()

    def on_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reloader.reload, daemon=True).start())
    server.start()
    log = structlog.get_logger(__name__)
    log.info("serving", host=http_host, port=server.port)
    try:
        worker.start()
        reloader.start()
        _wait(worker, stop, show_table)
        reloader.stop()
    finally:
        cameras = worker.report().cameras
        remaining = worker.stop()
        server.stop()
    log.info("done", frames={camera.id: camera.frames for camera in cameras}, undelivered_events=remaining)
    if remaining:
        print(f"inferfleet: {_undelivered(remaining, is_leased=worker.is_leased)}", file=sys.stderr)
    failed = [f"camera {camera.id!r}: {camera.error}" for camera in cameras if camera.state == "failed"]
    if failed:
        raise InputError("these cameras cannot be read as they are configured\n" + "\n".join(failed))


def _undelivered(events: int, *, is_leased: bool) -> str:
    """What becomes of events that not every sink has."""
    what = "1 event has" if events == 1 else f"{events} events have"
    if is_leased:
        return (
            f"{what} not reached every sink; the worker that takes their cameras next makes and delivers them again, "
            "under the same ids"
        )
    return f"{what} not reached every sink; what is missing is in the spool and goes out with the next start"


def _with_spool(file: CamerasFile, path: Path | None) -> CamerasFile:
    """The configuration with its spool at `path`, unless it says itself where the spool is."""
    if path is None or "path" in file.spool.model_fields_set:
        return file
    return file.model_copy(update={"spool": file.spool.model_copy(update={"path": path})})


def _wait(worker: Worker, stop: threading.Event, show_table: bool) -> None:
    """Returns when the worker is done or is told to stop."""
    from inferfleet.cli.tables import live_cameras

    with live_cameras(worker.report, show=show_table) as refresh:
        while not (stop.wait(0.25) or worker.finished.is_set()):
            refresh()
