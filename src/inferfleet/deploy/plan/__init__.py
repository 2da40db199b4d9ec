"""What a rollout will do, counted beforehand from the file alone, and a picture of the fleet."""
