"""inferfleet runs vision models on AWS containers and on one machine: cameras to events, models to HTTP APIs."""

__version__ = "0.1.0"
