"""An EKS cluster of a Kubernetes version that AWS no longer offers, or charges extra for."""

import datetime
import re
from collections.abc import Iterator

from inferfleet.config.source import Place
from inferfleet.deploy.lint import kinds
from inferfleet.deploy.lint.rule import Example, Match, Rule, Severity, Workspace

# End of standard and of extended support. https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html
_ENDS = {
    "1.28": (datetime.date(2024, 11, 26), datetime.date(2025, 11, 26)),
    "1.29": (datetime.date(2025, 3, 23), datetime.date(2026, 3, 23)),
    "1.30": (datetime.date(2025, 7, 23), datetime.date(2026, 7, 23)),
    "1.31": (datetime.date(2025, 11, 26), datetime.date(2026, 11, 26)),
    "1.32": (datetime.date(2026, 3, 23), datetime.date(2027, 3, 23)),
    "1.33": (datetime.date(2026, 7, 29), datetime.date(2027, 7, 29)),
    "1.34": (datetime.date(2026, 12, 2), datetime.date(2027, 12, 2)),
    "1.35": (datetime.date(2027, 3, 27), datetime.date(2028, 3, 27)),
}
_OLDEST_KNOWN = 28


def check(world: Workspace) -> Iterator[Match]:
    """Finds versions asked for with eksctl, the AWS command line, a ClusterConfig or CloudFormation."""
    for place, version in _asked(world):
        ends = _ENDS.get(version)
        minor = re.fullmatch(r"1\.(\d+)", version)
        if (minor and int(minor[1]) < _OLDEST_KNOWN) or (ends and ends[1] < world.today):
            until = f" since {ends[1]}" if ends else ""
            yield Match(place, f"EKS does not offer Kubernetes {version} any more{until}: the cluster is not created")


def _asked(world: Workspace) -> Iterator[tuple[Place, str]]:
    for document in world.scripts:
        for command in document.script.commands:
            version = command.option("--version") if command.starts("eksctl", "create", "cluster") else None
            if version is not None:
                yield version.place(0), version.text
    for call in world.calls("eks:CreateCluster"):
        yield call.params["version"].place, call.params["version"].text
    for manifest in world.of(kinds.MANIFEST):
        if manifest.node["kind"].text == "ClusterConfig":
            yield manifest.node["metadata"]["version"].place, manifest.node["metadata"]["version"].text
    for resource in world.of(kinds.RESOURCE):
        if resource.node["Type"].text == "AWS::EKS::Cluster":
            yield resource.node["Properties"]["Version"].place, resource.node["Properties"]["Version"].text


RULE = Rule(
    severity=Severity.ERROR,
    title="A Kubernetes version past its end",
    why="EKS supports a version for 14 months, and for 12 more at $0.60 an hour. After that clusters of it are not "
    "created, "
    "and existing ones are upgraded.",
    fix="Ask for a version in standard support: aws eks describe-cluster-versions.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html",
    check=check,
    example=Example(
        file="cluster.sh",
        bad="eksctl create cluster --name vision --version 1.28\n",
        good="eksctl create cluster --name vision --version 1.35\n",
    ),
)
