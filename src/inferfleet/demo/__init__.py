"""The demonstration: drawn street scenes with known truth, and the run of the worker on them."""
