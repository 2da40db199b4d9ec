"""Policies and trust."""
