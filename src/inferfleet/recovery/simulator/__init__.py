"""A fleet of thousands of GPUs that fails as the published studies say, with recovery's own core deciding."""
