"""Images, and the application inside them."""
