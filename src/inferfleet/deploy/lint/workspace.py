"""All that was read, and how its parts belong together: service, task definition, role, policy, cluster, capacity."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.document import Artifact, Call, Document
from inferfleet.deploy.lint.node import Node


@dataclass(frozen=True)
class Grants:
    """What is known of a role's permissions.

    Attributes:
        statements: Statements of its own policies.
        managed: Names of AWS managed policies attached to it.
    """

    statements: tuple[Node, ...] = ()
    managed: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether anything is known at all."""
        return bool(self.statements or self.managed)

    def allows(self, action: str) -> bool:
        """Whether some statement allows an action; managed policies are looked up by `managed_allows`."""
        return any(
            statement["Effect"].text != "Deny" and matches_action(pattern, action)
            for statement in self.statements
            for pattern in statement["Action"].texts()
        )


def matches_action(pattern: str, action: str) -> bool:
    """Whether an IAM action pattern (`s3:Get*`) covers an action, ignoring case as IAM does."""
    regex = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, action.lower()) is not None


def last_name(reference: str) -> str:
    """Returns the name at the end of an ARN or reference: a role's, a family without its revision, a logical id."""
    text = reference.strip()
    attribute = re.fullmatch(r"\$\{(\w+)(?:\.\w+)?\}", text)
    if attribute:
        return attribute[1]
    name = text.rsplit("/", 1)[-1] if "/" in text else text.split(":")[0] if not text.startswith("arn:") else text
    return re.sub(r":(\d+|\$\{\w+\})$", "", name)


@dataclass(frozen=True)
class Workspace:
    """Everything that rules can look at.

    Attributes:
        documents: The files.
        today: The day on which the question is asked; ends of support depend on it.
    """

    documents: tuple[Document, ...]
    today: datetime.date = field(default_factory=datetime.date.today)

    @cached_property
    def _by_kind(self) -> dict[str, list[Artifact]]:
        table: dict[str, list[Artifact]] = defaultdict(list)
        for document in self.documents:
            for artifact in document.artifacts:
                table[artifact.kind].append(artifact)
        return table

    def of(self, *wanted: str) -> list[Artifact]:
        """Returns the artifacts of some kinds."""
        return [artifact for kind in wanted for artifact in self._by_kind.get(kind, ())]

    def calls(self, *names: str) -> list[Call]:
        """Returns the AWS calls with these names, in all scripts."""
        return [call for document in self.documents for call in document.script.call(*names)]

    @property
    def scripts(self) -> Iterator[Document]:
        """The documents that run something."""
        return (document for document in self.documents if document.script.commands)

    def task_of(self, service: Artifact) -> Artifact | None:
        """Returns the task definition of a service: by family, the only one in its file, or the only one beside it."""
        tasks = self.of(kinds.TASK_DEFINITION)
        family = last_name(service.node["taskDefinition"].text)
        near = [task for task in tasks if task.document is service.document]
        for task in (*near, *tasks):
            if family and family in (task.node["family"].text, task.name):
                return task
        if service.node["taskDefinition"]:
            return None
        return near[0] if len(near) == 1 else None

    def services_of(self, task: Artifact) -> list[Artifact]:
        """Returns the services that run a task definition."""
        return [service for service in self.of(kinds.SERVICE) if self.task_of(service) is task]

    def cluster_of(self, service: Artifact) -> str:
        """Returns the name of a service's cluster; empty when nothing says it."""
        cluster = service.node["cluster"].text
        if cluster and "$" not in cluster:
            return last_name(cluster)
        name = service.node["serviceName"].text or self._described_name(service)
        for document in self.documents:
            for call in document.script.calls:
                named = {call.params["service"].text, call.params["serviceName"].text, *call.params["services"].texts()}
                if name and name in named and call.params["cluster"]:
                    return last_name(call.params["cluster"].text)
        return last_name(cluster) if cluster else ""

    def _described_name(self, service: Artifact) -> str:
        return "" if not service.excerpted else service.node["serviceName"].text

    def cluster_providers(self, cluster: str) -> list[Node]:
        """Returns the capacity providers, other than Fargate's, that are associated with a cluster."""
        found = []
        for artifact in self.of(kinds.CLUSTER_CAPACITY, kinds.CLUSTER):
            name = artifact.node["cluster"].text or artifact.node["clusterName"].text or artifact.name
            if last_name(name) == cluster:
                found += [node for node in artifact.node["capacityProviders"] if not node.text.startswith("FARGATE")]
        return found

    def grants(self, role: str, near: Document) -> Grants:
        """Returns what is known of a role's permissions, from the same file if it says anything, else from all.

        A role that is a resource of a template is looked for in that alone: in another its id means another role.
        """
        here = self._grants(role, (near,))
        is_local = any(item.name == role and item.document is near for item in self.of(kinds.RESOURCE))
        return here if here.known or is_local else self._grants(role, self.documents)

    def _grants(self, role: str, documents: tuple[Document, ...]) -> Grants:
        statements: list[Node] = []
        managed: list[str] = []
        files: set[str] = set()
        for document in documents:
            for call in document.script.call(kinds.ROLE_POLICY, kinds.ROLE_ATTACHMENT):
                if call.params["RoleName"].text != role:
                    continue
                arn = call.params["PolicyArn"].text
                if "arn:aws:iam::aws:policy/" in arn:
                    managed.append(arn.rsplit("/", 1)[-1])
                elif arn:
                    files |= self._policy_files(last_name(arn))
                files |= self._sources(document, call.params["PolicyDocument"].text)
        for artifact in self.of(kinds.POLICY):
            if artifact.name and ((artifact.name == role and artifact.document in documents) or artifact.name in files):
                statements += statements_of(artifact.node)
        for resource in self.of(kinds.RESOURCE):
            if resource.name == role and resource.document in documents:
                arns = resource.node["Properties"]["ManagedPolicyArns"]
                managed += re.findall(r"policy/(?:service-role/)?(\w+)", str(arns.plain()))
        return Grants(tuple(statements), tuple(managed))

    def _policy_files(self, policy: str) -> set[str]:
        return {
            name
            for document in self.documents
            for call in document.script.call(kinds.MANAGED_POLICY)
            if call.params["PolicyName"].text == policy
            for name in self._sources(document, call.params["PolicyDocument"].text) | {policy}
        }

    def _sources(self, document: Document, reference: str) -> set[str]:
        """The file names behind `file://x`, through the `sed … template > x` that made it."""
        if "file://" not in reference:
            return set()
        path = reference.split("file://", 1)[1].rstrip("}")
        names = {PurePosixPath(path).name}
        for command in document.script.commands:
            if (
                command.output
                and PurePosixPath(command.output).name in names
                and command.name in ("sed", "envsubst", "cat")
            ):
                names |= {PurePosixPath(word).name for word in command.texts[1:] if word.endswith(".json")}
        return names

    def role_of(self, task: Artifact, key: str) -> str:
        """Returns the name of a task definition's `taskRoleArn` or `executionRoleArn`; empty when it has none.

        A guide that describes its files one by one names the role by the file that holds its policy.
        """
        name = last_name(task.node[key].text)
        if name or not task.excerpted:
            return name
        hint = "task-role" if key == "taskRoleArn" else "execution-role"
        for artifact in task.document.artifacts:
            if artifact.kind == kinds.POLICY and hint in artifact.name:
                return artifact.name
        return ""


def statements_of(policy: Node) -> list[Node]:
    """Returns the statements of a policy; a statement on its own is a policy of one."""
    if "Statement" in policy:
        return list(policy["Statement"])
    return list(policy)
