"""`inferfleet workers` tells who holds what, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from inferfleet.cli.main import build
from inferfleet.config.workers import Leases
from inferfleet.errors import InputError
from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.leases.dynamodb import DynamoDbTable
from inferfleet.streams.leases.model import Beat, Lease, Renewal, TableError
from tests.localcloud.delivery.cloud import REGION, MiniStack, unique


def write_config(folder: Path, leases: dict[str, str] | None) -> Path:
    path = folder / "cameras.yaml"
    cameras = [{"id": name, "source": f"kvs://{name}"} for name in ("gate", "yard")]
    path.write_text(yaml.safe_dump({"cameras": cameras, "workers": {"leases": leases}}))
    return path


def ask(path: Path, *options: str) -> str:
    result = CliRunner().invoke(build("workers"), ["workers", "--config", str(path), *options])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_who_holds_what_is_told_to_people_and_programs(ministack: MiniStack, tmp_path: Path) -> None:
    settings = {"table": unique("leases"), "region": REGION, "endpoint_url": ministack.url}
    table = DynamoDbTable(Leases(create=True, **settings))
    table.open()
    table.beat(Beat("alice", 1))
    table.take(Lease("gate"), "alice")
    table.take(Lease("attic"), "bob")
    table.renew([Renewal("gate", 1, Checkpoint("gate", "917@3+200", b"s"))], "alice")
    table.close()
    path = write_config(tmp_path, settings)
    found = json.loads(ask(path, "--json"))
    assert [(row["worker"], row["cameras"]) for row in found["workers"]] == [("alice", 1)]
    assert [(c["camera"], c["worker"], c["state"], c["token"], c["configured"]) for c in found["cameras"]] == [
        ("gate", "alice", "held", "917@3+200", True),
        ("yard", None, "free", None, True),
        ("attic", "bob", "held", None, False),
    ]
    shown = ask(path)
    assert "alice" in shown
    assert "not configured" in shown


def test_a_missing_table_and_a_file_without_leases_are_named(ministack: MiniStack, tmp_path: Path) -> None:
    settings = {"table": unique("none"), "region": REGION, "endpoint_url": ministack.url}
    with pytest.raises(TableError, match="does not exist"):
        ask(write_config(tmp_path, settings))
    with pytest.raises(InputError, match="one worker runs all cameras"):
        ask(write_config(tmp_path, None))
