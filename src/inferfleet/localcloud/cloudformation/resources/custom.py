"""What the CDK's own custom resources do. Their functions need AWS's SDK for Node, which MiniStack's Lambda has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferfleet.localcloud.cloudformation.resource import Client, Made, ResourceType, Wanted, is_settled


class AutoDeleteObjects(ResourceType):
    """Empties a bucket before its stack deletes it (`auto_delete_objects` of a CDK bucket)."""

    type = "Custom::S3AutoDeleteObjects"
    create_only = ("BucketName",)

    def create(self, wanted: Wanted) -> Made:
        """Remembers the bucket."""
        return Made(f"{wanted.properties['BucketName']}-objects")

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Nothing of it can change in place."""
        return Made(there)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes all objects of the bucket, with all their versions."""
        s3, bucket = client("s3"), str(properties["BucketName"])
        try:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                held = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in held]
                if objects:
                    s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        except Exception as error:
            if not is_settled(error, "NoSuchBucket"):
                raise


class LogRetention(ResourceType):
    """Sets the retention of a log group that the stack does not own, making it where it is missing."""

    type = "Custom::LogRetention"
    create_only = ("LogGroupName",)

    def create(self, wanted: Wanted) -> Made:
        """Makes the group where it is missing, and sets its retention."""
        logs, name = wanted.client("logs"), str(wanted.properties["LogGroupName"])
        try:
            logs.create_log_group(logGroupName=name)
        except Exception as error:
            if not is_settled(error, "ResourceAlreadyExistsException"):
                raise
        days = wanted.properties.get("RetentionInDays")
        if days is None:
            logs.delete_retention_policy(logGroupName=name)
        else:
            logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
        return Made(name, {"LogGroupName": name})

    def update(self, there: str, wanted: Wanted, before: Mapping[str, Any]) -> Made:
        """Sets another retention."""
        return self.create(wanted)

    def delete(self, there: str, properties: Mapping[str, Any], client: Client) -> None:
        """Deletes the group if the stack says so; else it stays."""
        if properties.get("RemovalPolicy") != "destroy":
            return
        try:
            client("logs").delete_log_group(logGroupName=there)
        except Exception as error:
            if not is_settled(error, "ResourceNotFoundException"):
                raise


TYPES = (AutoDeleteObjects(), LogRetention())
