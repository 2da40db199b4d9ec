"""The lease table against the emulated DynamoDB: its conditions, its checkpoints, and how it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from inferfleet.config.workers import Leases
from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.leases.dynamodb import DynamoDbTable
from inferfleet.streams.leases.model import Beat, Lease, Renewal, TableError, TableUnavailableError
from tests.localcloud.delivery.cloud import REGION, MiniStack, Proxy, Response, client, unique


def table_at(url: str, name: str, *, create: bool = True) -> DynamoDbTable:
    table = DynamoDbTable(Leases(table=name, region=REGION, endpoint_url=url, create=create))
    table.open()
    return table


@pytest.fixture
def name() -> str:
    return unique("leases")


@pytest.fixture
def table(ministack: MiniStack, name: str) -> Iterator[DynamoDbTable]:
    made = table_at(ministack.url, name)
    yield made
    made.close()


def lease_of(table: DynamoDbTable, camera: str) -> Lease:
    return next(lease for lease in table.look().leases if lease.camera == camera)


def test_a_lease_goes_to_one_of_many_who_want_it(table: DynamoDbTable) -> None:
    won: list[str] = []

    def want(worker: str) -> None:
        if table.take(Lease("gate"), worker) is not None:
            won.append(worker)

    rivals = [threading.Thread(target=want, args=(f"w{n}",)) for n in range(8)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert [lease_of(table, "gate").owner] == won
    assert lease_of(table, "gate").fence == 1


def test_renewing_moves_the_counter_and_carries_the_checkpoint(table: DynamoDbTable) -> None:
    assert table.take(Lease("gate"), "a") == (1, None)
    state = bytes(range(256)) * 24
    assert table.renew([Renewal("gate", 1, Checkpoint("gate", "f1@2+3", state))], "a") == [True]
    assert table.renew([Renewal("gate", 1)], "a") == [True]
    seen = lease_of(table, "gate")
    assert (seen.owner, seen.counter, seen.token) == ("a", 3, "f1@2+3")
    assert table.take(seen, "b") == (2, Checkpoint("gate", "f1@2+3", state))


def test_who_lost_a_lease_can_neither_renew_nor_release_it(table: DynamoDbTable) -> None:
    table.take(Lease("gate"), "a")
    table.take(lease_of(table, "gate"), "b")
    before = lease_of(table, "gate")
    assert table.renew([Renewal("gate", 1, Checkpoint("gate", "late", b""))], "a") == [False]
    table.release(Renewal("gate", 1, Checkpoint("gate", "late", b"")), "a")
    assert lease_of(table, "gate") == before


def test_an_older_fence_of_the_same_worker_is_refused(table: DynamoDbTable) -> None:
    table.take(Lease("gate"), "a")
    table.take(lease_of(table, "gate"), "a")
    assert table.renew([Renewal("gate", 1), Renewal("gate", 2)], "a") == [False, True]


def test_a_lease_that_has_moved_on_since_it_was_seen_is_not_taken(table: DynamoDbTable) -> None:
    table.take(Lease("gate"), "a")
    seen = lease_of(table, "gate")
    table.renew([Renewal("gate", 1)], "a")
    assert table.take(seen, "b") is None


def test_a_released_lease_is_free_and_keeps_its_checkpoint(table: DynamoDbTable) -> None:
    table.take(Lease("gate"), "a")
    table.release(Renewal("gate", 1, Checkpoint("gate", "9", b"x")), "a")
    free = lease_of(table, "gate")
    assert (free.owner, free.token) == (None, "9")
    assert table.take(free, "b") == (2, Checkpoint("gate", "9", b"x"))


def test_workers_come_and_go(table: DynamoDbTable) -> None:
    table.beat(Beat("a", 1))
    table.beat(Beat("a", 2))
    table.forget(Beat("a", 1))
    assert [(beat.worker, beat.counter) for beat in table.look().beats] == [("a", 2)]
    table.forget(Beat("a", 2))
    assert table.look().beats == ()


def test_a_missing_table_is_named_unless_it_may_be_created(ministack: MiniStack, name: str) -> None:
    with pytest.raises(TableError, match=f"the lease table {name} does not exist"):
        table_at(ministack.url, name, create=False)


def test_a_table_with_another_key_is_refused(ministack: MiniStack, name: str) -> None:
    client("dynamodb", ministack.url).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "camera", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "camera", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(TableError, match="must be `id` alone"):
        table_at(ministack.url, name)


def test_throttling_is_no_loss_of_a_lease(table: DynamoDbTable, proxy: Proxy, name: str) -> None:
    table.take(Lease("gate"), "a")
    behind = table_at(proxy.url, name)
    body = b'{"__type": "ProvisionedThroughputExceededException", "message": "slow down"}'
    proxy.rules.append(lambda request, forward: Response(400, body))
    assert behind.renew([Renewal("gate", 1)], "a") == [None]
    with pytest.raises(TableUnavailableError, match="dynamodb:Scan failed"):
        behind.look()
    behind.close()
