"""What a guide tells its reader."""
