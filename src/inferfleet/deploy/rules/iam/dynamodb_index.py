"""Queries that may not use an index."""

from collections.abc import Iterator

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace
from inferfleet.deploy.lint.workspace import statements_of


def check(world: Workspace) -> Iterator[Match]:
    """Finds Query allowed on tables alone: it is mostly for an index; a Scan is mostly of the table."""
    for policy in world.of(kinds.POLICY):
        for statement in statements_of(policy.node):
            queries = [action for action in statement["Action"] if action.text == "dynamodb:Query"]
            resources = statement["Resource"].texts()
            tables_only = resources and all(":table/" in text and "/index" not in text for text in resources)
            if queries and tables_only and statement["Effect"].text != "Deny":
                yield Match(
                    queries[0].place,
                    f"{queries[0].text} is allowed on the table alone: a query of one of its indexes is denied",
                )


RULE = Rule(
    severity=Severity.NOTE,
    title="Queries on the table, not on its indexes",
    why="An index is a resource of its own, table/NAME/index/INDEX. A query with IndexName needs permission on it.",
    fix='Add "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/index/*" to the resources.',
    source="https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html",
    check=check,
    example=Example(
        file="policy.json",
        bad="""
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"],
  "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/events"}]}
""",
        good="""
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"],
  "Resource": ["arn:aws:dynamodb:us-east-1:111122223333:table/events",
               "arn:aws:dynamodb:us-east-1:111122223333:table/events/index/*"]}]}
""",
    ),
)
