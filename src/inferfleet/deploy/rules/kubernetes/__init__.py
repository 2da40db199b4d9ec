"""Kubernetes manifests and EKS."""
