"""Which web ACL guards a load balancer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted, is_settled


class WebAclAssociation(ResourceType):
    """A web ACL in front of a resource."""

    type = "AWS::WAFv2::WebACLAssociation"
    create_only = ("ResourceArn", "WebACLArn")

    def create(self, wanted: Wanted) -> Made:
        """Puts it there."""
        acl, guarded = wanted.properties["WebACLArn"], wanted.properties["ResourceArn"]
        wanted.client("wafv2").associate_web_acl(WebACLArn=acl, ResourceArn=guarded)
        return Made(f"{acl}|{guarded}")

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Nothing of it can change in place."""
        return Made(there)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Takes it away, unless another ACL has taken its place."""
        wafv2, guarded = client("wafv2"), properties["ResourceArn"]
        try:
            current = wafv2.get_web_acl_for_resource(ResourceArn=guarded).get("WebACL", {})
        except Exception as error:
            if is_settled(error, "WAFNonexistentItemException"):
                return
            raise
        if current.get("ARN") == properties["WebACLArn"]:
            wafv2.disassociate_web_acl(ResourceArn=guarded)


TYPES = (WebAclAssociation(),)
