"""Scaling policies, alarms and dashboards."""
