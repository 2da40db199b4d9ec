"""Recovery on AWS: DynamoDB holds the truth, ECS and EC2 are read and acted upon, and the core decides."""
