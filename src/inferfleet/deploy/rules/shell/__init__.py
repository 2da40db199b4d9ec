"""Commands in scripts and guides."""
