"""What is done with a fleet on AWS: read what runs, decide, say it, do it, and tell how it ended."""
