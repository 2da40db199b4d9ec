"""`fleet.yaml` and what is made of it: the rules that check it, the files rendered from it, the plan of a rollout."""
