"""GPU recovery: is the GPU to blame? Heals the node, restarts the job, and calls a person only when it must."""
