"""Instances, launch templates and capacity providers."""
