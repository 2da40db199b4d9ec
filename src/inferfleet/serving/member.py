"""One device's process of a server with several; `fleet.py` starts it and tells it what to do on standard input."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import msgspec

from inferfleet import logs
from inferfleet.config.serve import ServeFile
from inferfleet.errors import InferfleetError
from inferfleet.serving.fleet import Member
from inferfleet.serving.peers import peers_in, socket_path
from inferfleet.serving.server import Membership, Process


def main() -> None:
    """Serves until a signal comes or the parent is gone."""
    member = msgspec.json.decode(sys.stdin.buffer.read(), type=Member)
    logs.set_up(member.log_level)
    config = ServeFile.model_validate_json(member.config)
    models = {name: model.model_copy(update={"device": member.device}) for name, model in config.models.items()}
    sockets = [socket.socket(fileno=number) for number in member.sockets]
    folder = Path(member.folder)
    own = socket_path(folder, member.device)
    own.unlink(missing_ok=True)
    private = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    private.bind(str(own))
    private.listen()
    membership = Membership(member.device, peers_in(folder, config.devices), private, member.lifeline)
    try:
        Process(config.model_copy(update={"models": models}), sockets, membership=membership).run()
    except InferfleetError as error:
        print(f"inferfleet: {member.device}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
