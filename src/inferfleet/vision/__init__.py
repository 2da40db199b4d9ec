"""A model file becomes detections, classes or text."""
