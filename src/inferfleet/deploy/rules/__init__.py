"""What goes wrong on AWS: one file a rule, one folder a subject. A rule's id is its path, `ecs/gpu-on-fargate`."""
