"""`fleet.yaml` and everything made from it: the rules that check it, the files rendered from it, the plan of a rollout."""
