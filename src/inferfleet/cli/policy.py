"""`inferfleet policy`: the IAM policy that a `cameras.yaml` needs."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("policy")(policy)


def policy(
    config: Annotated[Path, typer.Argument(help="The configuration.")] = Path("cameras.yaml"),
    region: Annotated[str, typer.Option(help="For what names no region; AWS_REGION, else any.")] = "",
    account: Annotated[str, typer.Option(help="The account's number; any when left out.")] = "",
    partition: Annotated[str, typer.Option(help="aws, aws-cn or aws-us-gov; the region's when left out.")] = "",
) -> None:
    """Print the IAM policy that the worker needs for a configuration: these permissions and no others.

    It covers the cameras on Kinesis Video Streams, the models in S3, and the sinks. Nothing is asked of AWS.

    Example: `inferfleet policy cameras.yaml --account 123456789012 > policy.json`
    """
    from inferfleet.config import permissions
    from inferfleet.config.base import read
    from inferfleet.config.cameras import CamerasFile

    known = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or permissions.ANY
    place = permissions.Place.of(known, account or permissions.ANY)
    if partition:
        place = replace(place, partition=partition)
    statements = permissions.of_cameras(read(config, CamerasFile), place)
    if not statements:
        print(f"{config} uses nothing on AWS; no policy is needed", file=sys.stderr)
        return
    print(json.dumps(permissions.document(statements), indent=2))
