"""What all manifests of a service share: names, labels, and how they are written."""

from __future__ import annotations

from typing import Any

import yaml

from inferfleet.deploy.resolve import ResolvedService

Manifest = dict[str, Any]


def meta(service: ResolvedService, **more: Any) -> Manifest:
    """Returns the metadata of a manifest of a service."""
    return {"name": service.key, "labels": labels(service), **more}


def labels(service: ResolvedService) -> dict[str, str]:
    """Returns the labels of whatever belongs to a service."""
    return {**selector(service), "app.kubernetes.io/managed-by": "inferfleet"}


def selector(service: ResolvedService) -> dict[str, str]:
    """Returns the label by which a service's pods are found."""
    return {"app.kubernetes.io/name": service.key}


def text(manifest: Manifest) -> str:
    """Writes a manifest as YAML."""
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and repeats what is equal instead of naming it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
