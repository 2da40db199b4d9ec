"""Recovery as AWS CDK constructs, and an app of it alone: `python -m inferfleet.recovery.stack`."""
