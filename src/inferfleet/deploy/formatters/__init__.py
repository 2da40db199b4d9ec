"""Findings as people, programs and code hosts want them."""
