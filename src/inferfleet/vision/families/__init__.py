"""What the outputs of known model families mean, one file a family, and which family a model belongs to."""
