"""What users write (`cameras.yaml`, `fleet.yaml`) as typed, validated data."""
