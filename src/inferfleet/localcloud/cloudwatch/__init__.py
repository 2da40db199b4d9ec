"""Metric math, which MiniStack's CloudWatch does not have: for alarms, and for scaling."""
