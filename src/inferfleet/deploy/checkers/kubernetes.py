"""Kubernetes manifests, checked by kubernetes-validate against the schemas that it bundles."""

from __future__ import annotations

from collections.abc import Iterator

from inferfleet.deploy.lint.document import Artifact
from inferfleet.deploy.lint.finding import Finding, Severity

_SOURCE = "https://kubernetes.io/docs/reference/kubernetes-api/"


def check(manifests: list[Artifact]) -> Iterator[Finding]:
    """Yields what the schema says against each manifest; kinds without a schema are passed over."""
    import kubernetes_validate as validator

    for manifest in manifests:
        if any("${" in node.text for node in manifest.node.walk()):
            continue
        try:
            validator.validate(manifest.node.plain(), ".".join(validator.latest_version().split(".")[:2]), strict=True)
        except validator.ValidationError as error:
            place = manifest.node.find(tuple(error.path)).place
            yield Finding("kubernetes-validate/schema", Severity.ERROR, place, error.message, source=_SOURCE)
        except (validator.SchemaNotFoundError, validator.InvalidSchemaError):
            continue
