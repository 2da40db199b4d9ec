"""A model as an HTTP API that holds its latency."""
