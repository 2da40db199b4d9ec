"""What the outputs of known model families mean, one file a family."""
