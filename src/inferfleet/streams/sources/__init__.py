"""Where frames come from. A source is opened, read until it ends or fails, and opened again by its camera."""
