"""What goes wrong on AWS: one file a rule, in a folder for each subject. A rule's id is its path, `ecs/gpu-on-fargate`."""
