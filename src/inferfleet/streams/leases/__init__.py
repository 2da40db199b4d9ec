"""Who reads which camera: leases in a DynamoDB table, so that many workers share the cameras of one configuration."""
