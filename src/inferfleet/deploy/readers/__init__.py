"""From files as people have them to artifacts that rules understand; every value keeps its place."""
