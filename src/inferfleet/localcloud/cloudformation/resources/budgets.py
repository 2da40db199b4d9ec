"""Monthly budgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.cloudformation import shapes
from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted, is_settled


class Budget(ResourceType):
    """A budget and whom it tells."""

    type = "AWS::Budgets::Budget"
    create_only = ("NotificationsWithSubscribers",)
    sometimes_create_only = ("Budget",)

    def create(self, wanted: Wanted) -> Made:
        """Makes it, for the account of the stack."""
        client = wanted.client("budgets")
        budget = {**wanted.properties["Budget"], "BudgetName": self._name(wanted.properties) or wanted.name}
        properties = {**wanted.properties, "Budget": budget}
        client.create_budget(AccountId=_account(wanted.client), **shapes.parameters(client, "CreateBudget", properties))
        return Made(budget["BudgetName"])

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Changes its limit and the like."""
        client = wanted.client("budgets")
        properties = {"NewBudget": {**wanted.properties["Budget"], "BudgetName": there}}
        client.update_budget(AccountId=_account(wanted.client), **shapes.parameters(client, "UpdateBudget", properties))
        return Made(there)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes it."""
        try:
            client("budgets").delete_budget(AccountId=_account(client), BudgetName=there)
        except Exception as error:
            if not is_settled(error, "NotFoundException"):
                raise

    def replaces(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Whether it has another name."""
        return self._name(before) != self._name(after)

    def _name(self, properties: Mapping[str, Any]) -> str | None:
        name = properties["Budget"].get("BudgetName")
        return str(name) if name else None


def _account(client: Client) -> str:
    return str(client("sts").get_caller_identity()["Account"])


TYPES = (Budget(),)
