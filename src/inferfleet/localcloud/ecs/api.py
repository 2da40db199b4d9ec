"""The calls of ECS that services and their deployments are made of, in the place of MiniStack's own."""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from inferfleet.localcloud.ecs import balancer, decide, records, settings, traffic
from inferfleet.localcloud.ecs.launch import Json
from inferfleet.localcloud.ecs.model import Deployment, Service, Status
from inferfleet.localcloud.ecs.records import Kept, Revision
from inferfleet.localcloud.ecs.settings import Refused, invalid

if TYPE_CHECKING:
    from inferfleet.localcloud.ecs.controller import Controller, ServiceKey

Response = tuple[int, dict[str, Any], bytes]
_PLACING = ("launchType", "capacityProviderStrategy")


def answering(call: Callable[[Any, Json], Json]) -> Callable[[Any, Json], Response]:
    """A call whose answer, or refusal, becomes a response."""

    @wraps(call)
    def answered(self: Any, data: Json) -> Response:
        from ministack.core.responses import error_response_json, json_response

        try:
            done: Response = json_response(call(self, data))
        except Refused as refusal:
            done = error_response_json(refusal.code, str(refusal), 400)
        return done

    return answered


class Api:
    """The calls."""

    def __init__(self, controller: Controller, pace: float) -> None:
        from ministack.services import ecs

        self._ecs = ecs
        self._controller = controller
        self._pace = pace
        self._describe = ecs._describe_services
        self._reset = ecs.reset

    def install(self) -> None:
        """Puts them in the place of MiniStack's."""
        ecs = self._ecs
        ecs._create_service = self.create_service
        ecs._update_service = self.update_service
        ecs._delete_service = self.delete_service
        ecs._stop_task = self.stop_task
        ecs._maybe_mark_stopped = lambda *_: None
        ecs._run_task_worker = self._controller.runs.start
        ecs.reset = self.reset
        ecs._ACTION_MAP.update(
            CreateService=self.create_service,
            UpdateService=self.update_service,
            DeleteService=self.delete_service,
            DescribeServices=self.describe_services,
            ListServiceDeployments=self.list_service_deployments,
            DescribeServiceDeployments=self.describe_service_deployments,
            DescribeServiceRevisions=self.describe_service_revisions,
            StopServiceDeployment=self.stop_service_deployment,
            StopTask=self.stop_task,
            ExecuteCommand=self.execute_command,
        )

    def reset(self) -> None:
        """Forgets everything, as MiniStack does when a test asks it to."""
        self._controller.forget_all()
        self._reset()

    @answering
    def create_service(self, data: Json) -> Json:
        """CreateService."""
        cluster, name = self._cluster(data), data.get("serviceName")
        if not name:
            raise invalid("serviceName is required")
        key = self._key(cluster, name)
        with self._controller.service(key) as there:
            if there is not None and there.record["status"] == "ACTIVE":
                raise invalid("Creation of service was not idempotent.")
            if there is not None and there.record["status"] == "DRAINING":
                raise invalid("Unable to Start a service that is still Draining.")
            kept = self._new(key, data)
            self._controller.services[key] = kept
            self._ecs._services[f"{cluster}/{name}"] = kept.record
            if kept.record["tags"]:
                self._ecs._tags[kept.record["serviceArn"]] = list(kept.record["tags"])
            records.refresh(kept, [])
            traffic.shift(kept)
            return {"service": self._ecs._sanitize(kept.record)}

    @answering
    def update_service(self, data: Json) -> Json:
        """UpdateService."""
        with self._controller.service(self._named(data)) as found:
            kept = _active(found)
            now = time.time()
            wanted = copy.deepcopy({key: data[key] for key in settings.DEPLOYING if data.get(key) is not None})
            last = kept.revisions[kept.service.deployment.wanted or kept.service.deployment.target]
            task_definition = self._task_definition(data["taskDefinition"]) if data.get("taskDefinition") else None
            configured = settings.configuration(
                data.get("deploymentConfiguration"), kept.record["deploymentConfiguration"]
            )
            balancers = wanted.get("loadBalancers") or last.settings.get("loadBalancers") or []
            settings.checked_balancers(balancers, configured["strategy"], balancer.groups_in_use())
            desired = settings.desired_count(data.get("desiredCount", kept.service.desired))
            kept.record.update({key: data[key] for key in settings.OTHERS if data.get(key) is not None})
            kept.record.update(wanted, deploymentConfiguration=configured)
            placing = self._placing(data, last.settings)
            kept.record.update(placing)
            kept.service = replace(
                kept.service, desired=desired, is_steady=kept.service.is_steady and desired == kept.service.desired
            )
            base = {key: value for key, value in last.settings.items() if key not in _PLACING}
            is_new = bool(data.get("forceNewDeployment")) or any(
                base.get(key) != value for key, value in wanted.items()
            )
            if is_new or task_definition not in (None, last.task_definition):
                self._deploy(kept, task_definition or last.task_definition, {**base, **wanted, **placing}, now)
            elif not kept.service.deployment.is_over:
                rules = settings.rules(configured, balancers, self._pace)
                kept.service = replace(kept.service, deployment=replace(kept.service.deployment, rules=rules))
            records.refresh(kept, self._controller.tasks_of(kept))
            return {"service": self._ecs._sanitize(kept.record)}

    @answering
    def delete_service(self, data: Json) -> Json:
        """DeleteService."""
        with self._controller.service(self._named(data)) as found:
            kept = _active(found)
            if kept.service.desired > 0 and not data.get("force"):
                raise invalid("The service cannot be stopped while it is scaled above 0.")
            now = time.time()
            deployment = kept.service.deployment
            if not deployment.is_over:
                deployment = decide.stopped(deployment, now, turn_back=False, cause="the service was deleted")
            kept.update(replace(kept.service, desired=0, is_leaving=True, deployment=deployment), now)
            kept.record["status"] = "DRAINING"
            records.refresh(kept, self._controller.tasks_of(kept))
            return {"service": self._ecs._sanitize(kept.record)}

    def describe_services(self, data: Json) -> Response:
        """DescribeServices."""
        with self._controller.lock:
            for kept in self._controller.services.values():
                if (kept.account, kept.region) == self._scope():
                    records.refresh(kept, self._controller.tasks_of(kept))
            done: Response = self._describe(data)
        return done

    @answering
    def list_service_deployments(self, data: Json) -> Json:
        """ListServiceDeployments, the newest first."""
        with self._controller.service(self._named(data)) as kept:
            if kept is None:
                raise Refused("ServiceNotFoundException", "Service not found.")
            made = data.get("createdAt") or {}
            found = [
                deployment
                for deployment in reversed(kept.deployments.values())
                if deployment.status in (data.get("status") or (deployment.status,))
                and made.get("after", 0) <= deployment.created <= made.get("before", deployment.created)
            ]
            start = int(data.get("nextToken") or 0)
            end = start + int(data.get("maxResults") or 100)
            answer: Json = {
                "serviceDeployments": [records.service_deployment_brief(kept, one) for one in found[start:end]]
            }
            return {**answer, "nextToken": str(end)} if end < len(found) else answer

    @answering
    def describe_service_deployments(self, data: Json) -> Json:
        """DescribeServiceDeployments."""
        found, missing = [], []
        with self._controller.lock:
            for arn in data.get("serviceDeploymentArns") or ():
                if kept := self._owner(arn):
                    tasks = self._controller.tasks_of(kept)
                    found.append(records.service_deployment(kept, kept.deployments[arn], tasks))
                else:
                    missing.append({"arn": arn, "reason": "MISSING"})
        return {"serviceDeployments": found, "failures": missing}

    @answering
    def describe_service_revisions(self, data: Json) -> Json:
        """DescribeServiceRevisions."""
        found, missing = [], []
        with self._controller.lock:
            for arn in data.get("serviceRevisionArns") or ():
                owner = next((kept for kept in self._controller.services.values() if arn in kept.revisions), None)
                if owner is None:
                    missing.append({"arn": arn, "reason": "MISSING"})
                else:
                    found.append(records.service_revision(owner, owner.revisions[arn], self._images(owner, arn)))
        return {"serviceRevisions": found, "failures": missing}

    @answering
    def stop_service_deployment(self, data: Json) -> Json:
        """StopServiceDeployment: ABORT leaves things as they are, ROLLBACK brings the last good revision back."""
        arn = data.get("serviceDeploymentArn", "")
        with self._controller.lock:
            kept = self._owner(arn)
            if kept is None:
                raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
            deployment = kept.deployments[arn]
            if not deployment.is_forward:
                raise Refused(
                    "ConflictException", f"The service deployment is {deployment.status} and cannot be stopped."
                )
            turn_back = data.get("stopType", "ROLLBACK") == "ROLLBACK"
            now = time.time()
            ended = decide.stopped(deployment, now, turn_back=turn_back, cause="a user stopped it")
            kept.update(replace(kept.service, deployment=ended), now)
            traffic.shift(kept)
        self._controller.wake()
        return {"serviceDeploymentArn": arn}

    @answering
    def stop_task(self, data: Json) -> Json:
        """StopTask."""
        task = self._ecs._resolve_task(data.get("task", ""), self._ecs._resolve_cluster_name(data.get("cluster")))
        if not task:
            raise invalid("The referenced task was not found.")
        self._controller.runs.stop(task, data.get("reason") or "Task stopped by user", "UserInitiated")
        return {"task": self._ecs._sanitize(task)}

    @answering
    def execute_command(self, data: Json) -> Json:
        """ExecuteCommand, which needs the Session Manager's servers."""
        task = self._ecs._resolve_task(data.get("task", ""), self._ecs._resolve_cluster_name(data.get("cluster")))
        if not task:
            raise invalid("The referenced task was not found.")
        ids = ", ".join(f"docker exec -it {name[:12]} sh" for name in task["_docker_ids"])
        raise Refused(
            "TargetNotConnectedException",
            "the local cloud has no Session Manager; run the command in the container itself: "
            + (ids or "it has none"),
        )

    def _new(self, key: ServiceKey, data: Json) -> Kept:
        """A service as CreateService asks for it, with its first deployment."""
        account, region, cluster, name = key
        if (controller := (data.get("deploymentController") or {}).get("type", "ECS")) != "ECS":
            raise Refused("UnsupportedFeatureException", f"the local cloud has no {controller} deployment controller")
        now = time.time()
        configured = settings.configuration(data.get("deploymentConfiguration"))
        balancers = data.get("loadBalancers") or []
        settings.checked_balancers(balancers, configured["strategy"], balancer.groups_in_use())
        desired = settings.desired_count(data.get("desiredCount", 1))
        launch_type, strategy, refused = self._ecs._launch_choice(data, self._ecs._clusters[cluster])
        if refused:
            raise invalid(self._ecs._BOTH_LAUNCH_CHOICES)
        placing = {"launchType": launch_type, "capacityProviderStrategy": strategy}
        own = copy.deepcopy({key: data[key] for key in settings.DEPLOYING if data.get(key) is not None})
        record: Json = {
            "serviceArn": f"arn:aws:ecs:{region}:{account}:service/{cluster}/{name}",
            "serviceName": name,
            "clusterArn": self._ecs._clusters[cluster]["clusterArn"],
            "status": "ACTIVE",
            "schedulingStrategy": data.get("schedulingStrategy", "REPLICA"),
            "deploymentController": {"type": "ECS"},
            "healthCheckGracePeriodSeconds": 0,
            "enableExecuteCommand": False,
            "enableECSManagedTags": False,
            "propagateTags": "NONE",
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            "availabilityZoneRebalancing": "ENABLED",
            **{key: data[key] for key in settings.OTHERS if data.get(key) is not None},
            **own,
            **placing,
            "deploymentConfiguration": configured,
            "events": [],
            "roleArn": data.get("role"),
            "createdAt": now,
            "createdBy": f"arn:aws:iam::{account}:root",
            "tags": data.get("tags") or [],
        }
        task_definition = self._task_definition(data.get("taskDefinition", ""))
        first = _deployment(record, None, settings.rules(configured, balancers, self._pace), now)
        kept = Kept(account, region, cluster, record, Service(name, desired, replace(first, weight=100.0)))
        self._revise(kept, first, task_definition, {**own, **placing}, now)
        return kept

    def _deploy(self, kept: Kept, task_definition: str, own: Json, now: float) -> None:
        """Begins a deployment; one that is under way gives way to it."""
        running = kept.service.deployment
        if not running.is_over:
            cause = "a newer service deployment took its place"
            kept.update(
                replace(kept.service, deployment=decide.stopped(running, now, turn_back=False, cause=cause)), now
            )
        configured = kept.record["deploymentConfiguration"]
        rules = settings.rules(configured, own.get("loadBalancers") or [], self._pace)
        deployment = _deployment(kept.record, kept.good, rules, now)
        if kept.good is None:
            deployment = replace(deployment, weight=100.0)
        self._revise(kept, deployment, task_definition, own, now)
        kept.service = replace(kept.service, deployment=deployment, failures_in_a_row=0, retry_at=0.0, is_steady=False)
        kept.deployments[deployment.arn] = deployment
        traffic.shift(kept)

    def _revise(self, kept: Kept, deployment: Deployment, task_definition: str, own: Json, now: float) -> None:
        """Keeps the revision that a deployment brings."""
        good = kept.revisions[kept.good].groups if kept.good else ()
        found = settings.groups(own.get("loadBalancers") or [], good, deployment.rules.strategy)
        kept.revisions[deployment.target] = Revision(deployment.target, now, task_definition, own, found)
        kept.deployments[deployment.arn] = kept.service.deployment if not kept.deployments else deployment
        kept.record["taskDefinition"] = task_definition

    def _placing(self, data: Json, before: Json) -> Json:
        """Launch type and strategy after an update; an empty strategy goes back to a launch type."""
        if "capacityProviderStrategy" not in data:
            return {key: before.get(key) for key in _PLACING}
        strategy = data["capacityProviderStrategy"] or None
        return {
            "capacityProviderStrategy": strategy,
            "launchType": None if strategy else before.get("launchType") or "EC2",
        }

    def _images(self, kept: Kept, revision: str) -> list[Json]:
        """Images of a revision, with the digests that its tasks have found."""
        td = self._ecs._task_defs[self._ecs._resolve_td_key(kept.revisions[revision].task_definition)]
        found = {}
        for task in self._controller.tasks_of(kept):
            if task.get("_deployment_id") == revision:
                found.update({one["name"]: one["imageDigest"] for one in task["containers"] if one.get("imageDigest")})
        return [
            {"containerName": one["name"], "image": one["image"]}
            | ({"imageDigest": found[one["name"]]} if one["name"] in found else {})
            for one in td["containerDefinitions"]
        ]

    def _task_definition(self, reference: str) -> str:
        found = self._ecs._task_defs.get(self._ecs._resolve_td_key(reference))
        if not found:
            raise Refused("ClientException", f"Unable to find task definition: {reference}")
        if found["status"] != "ACTIVE":
            raise Refused("ClientException", "TaskDefinition is inactive")
        return str(found["taskDefinitionArn"])

    def _cluster(self, data: Json) -> str:
        name = self._ecs._resolve_cluster_name(data.get("cluster") or "default")
        if name not in self._ecs._clusters:
            raise Refused("ClusterNotFoundException", "Cluster not found.")
        return str(name)

    def _named(self, data: Json) -> ServiceKey:
        """The service that a request names."""
        cluster = self._cluster(data)
        found = self._ecs._resolve_service_ref(data.get("service", ""))
        if found is None or found[1] not in (None, cluster):
            raise Refused("ServiceNotFoundException", "Service not found.")
        return self._key(cluster, found[0])

    def _owner(self, deployment: str) -> Kept | None:
        services = self._controller.services.values()
        return next((kept for kept in services if deployment in kept.deployments), None)

    def _key(self, cluster: str, name: str) -> ServiceKey:
        return (*self._scope(), cluster, name)

    @staticmethod
    def _scope() -> tuple[str, str]:
        from ministack.core.responses import get_account_id, get_region

        return str(get_account_id()), str(get_region())


def _active(kept: Kept | None) -> Kept:
    if kept is None:
        raise Refused("ServiceNotFoundException", "Service not found.")
    if kept.record["status"] != "ACTIVE":
        raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
    return kept


def _deployment(record: Json, source: str | None, rules: Any, now: float) -> Deployment:
    """A deployment of a service, with names for it and for the revision that it brings."""
    head, _, tail = record["serviceArn"].partition(":service/")
    arn = f"{head}:service-deployment/{tail}/{secrets.token_urlsafe(15).replace('-', 'x').replace('_', 'y')[:20]}"
    target = f"{head}:service-revision/{tail}/{secrets.randbelow(10**19):019d}"
    return Deployment(arn, target, source, rules, now, status=Status.PENDING)
