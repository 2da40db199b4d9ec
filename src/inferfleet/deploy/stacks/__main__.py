"""A fleet as a CDK app: `cdk synth --app "python -m inferfleet.deploy.stacks fleet.yaml"`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import aws_cdk as cdk

from inferfleet.config.fleet import read_fleet
from inferfleet.deploy.resolve import resolve
from inferfleet.deploy.stacks.app import add_fleet
from inferfleet.deploy.stacks.synth import FLAGS
from inferfleet.errors import InferfleetError, InputError

IMAGES = "images"
"""CDK context: the URIs of the images that the fleet builds, as JSON: `-c images='{"worker": "…@sha256:…"}'`."""


def main(arguments: list[str]) -> int:
    """Synthesises the fleet that is named, to where the CDK command line says."""
    path = Path(arguments[0]) if arguments else Path("fleet.yaml")
    app = cdk.App(analytics_reporting=False, context=FLAGS)
    try:
        given = app.node.try_get_context(IMAGES) or {}
        images = json.loads(given) if isinstance(given, str) else given
        if not isinstance(images, dict):
            raise InputError(f"-c {IMAGES}: must be a JSON object of image names and URIs")
        add_fleet(app, resolve(read_fleet(path)), path.parent, images=images, draft=not images)
    except InferfleetError as error:
        print(f"inferfleet: {error}", file=sys.stderr)
        return error.exit_code
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
