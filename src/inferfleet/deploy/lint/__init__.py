"""The linter's core: what a rule sees, what it says, and how the two are brought together."""
