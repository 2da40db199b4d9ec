"""Routes, security groups, endpoints and load balancers."""
