"""How requests reach a service's pods, and what these may reach: Service, Ingress and NetworkPolicy."""

from __future__ import annotations

import json

from inferfleet.config.fleet_service import LoadBalancer
from inferfleet.deploy.render.kubernetes.manifest import Manifest, meta, selector
from inferfleet.deploy.resolve import ResolvedService

INGRESS_CLASS = "alb"
"""The class that the AWS Load Balancer Controller installs, and that our EKS stack defines for Auto Mode."""

_METADATA_SERVICE = "169.254.169.254/32"
_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


def service(service: ResolvedService) -> Manifest:
    """The pods under one name inside the cluster."""
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"type": "ClusterIP", "selector": selector(service), "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(service), "spec": spec}


def ingress(service: ResolvedService, balancer: LoadBalancer) -> Manifest:
    """An application load balancer: EKS Auto Mode or the AWS Load Balancer Controller makes it from this."""
    backend = {"service": {"name": service.key, "port": {"name": "http"}}}
    paths = [{"path": path, "pathType": "ImplementationSpecific", "backend": backend} for path in balancer.paths]
    rules = [{"host": host, "http": {"paths": paths}} for host in balancer.hosts] or [{"http": {"paths": paths}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": meta(service, annotations=_annotations(service, balancer)),
        "spec": {"ingressClassName": INGRESS_CLASS, "rules": rules},
    }


def _annotations(service: ResolvedService, balancer: LoadBalancer) -> dict[str, str]:
    health = service.spec.health
    settings = {
        "scheme": "internet-facing" if balancer.public else "internal",
        "target-type": "ip",
        "healthcheck-path": service.ready_path,
        "healthcheck-interval-seconds": str(health.interval),
        "healthcheck-timeout-seconds": str(min(health.timeout, health.interval - 1)),
        "target-group-attributes": f"deregistration_delay.timeout_seconds={balancer.deregistration_seconds}",
        "listen-ports": json.dumps([{"HTTP": 80}]),
    }
    if balancer.certificate:
        settings |= {
            "listen-ports": json.dumps([{"HTTP": 80}, {"HTTPS": 443}]),
            "ssl-redirect": "443",
            "certificate-arn": balancer.certificate,
            "ssl-policy": _TLS_POLICY,
        }
    if balancer.waf:
        settings["wafv2-acl-arn"] = balancer.waf
    return {f"alb.ingress.kubernetes.io/{name}": value for name, value in settings.items()}


def network_policy(service: ResolvedService) -> Manifest:
    """Lets requests in on the one port, and out to name servers and everything but the node's own metadata."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta(service),
        "spec": {
            "podSelector": {"matchLabels": selector(service)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": service.spec.port}]}],
            "egress": [
                {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
                {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [_METADATA_SERVICE]}}]},
            ],
        },
    }
