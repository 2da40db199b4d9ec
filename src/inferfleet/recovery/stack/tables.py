"""The tables as CDK constructs, from the definitions that the store reads and writes by."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from inferfleet.recovery.aws.settings import Settings
from inferfleet.recovery.aws.tables import Index, tables

_TYPES = {"S": dynamodb.AttributeType.STRING, "N": dynamodb.AttributeType.NUMBER}
_IDS = {
    "task": "TaskTable",
    "job": "JobTable",
    "node": "NodeTable",
    "incident": "IncidentTable",
    "intent": "IntentTable",
}


def make_tables(scope: Construct, settings: Settings) -> dict[str, dynamodb.Table]:
    """Makes the five tables, by kind of record.

    They go with the stack: without recovery's Lambdas nothing reads them, and their fixed names would be in the way of
    the next deployment.
    """
    return {kind: _table(scope, kind, settings) for kind in tables(settings)}


def _table(scope: Construct, kind: str, settings: Settings) -> dynamodb.Table:
    plan = tables(settings)[kind]
    made = dynamodb.Table(
        scope,
        _IDS[kind],
        table_name=plan.name,
        partition_key=_attribute(plan.key),
        sort_key=_attribute(plan.sort) if plan.sort else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        time_to_live_attribute="expires",
        removal_policy=RemovalPolicy.DESTROY,
    )
    for index in plan.indexes:
        _add_index(made, index)
    return made


def _add_index(table: dynamodb.Table, index: Index) -> None:
    table.add_global_secondary_index(
        index_name=index.name,
        partition_key=_attribute(index.key),
        sort_key=_attribute(index.sort, index.sort_type),
        projection_type=dynamodb.ProjectionType.KEYS_ONLY,
    )


def _attribute(name: str, kind: str = "S") -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=_TYPES[kind])
