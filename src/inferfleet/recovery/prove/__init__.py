"""Exhaustive search of small fleets: every interleaving of events, losses, duplicates and crashes, up to a depth."""
