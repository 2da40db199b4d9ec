"""ECS task definitions and services."""
