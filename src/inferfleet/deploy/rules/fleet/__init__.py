"""The project's own files: fleet.yaml and cameras.yaml."""
