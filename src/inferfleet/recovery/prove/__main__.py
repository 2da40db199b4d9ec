"""`python -m inferfleet.recovery.prove`: the long search. Prints the states explored and the violations found."""

import argparse
import sys
import time

from inferfleet.recovery.prove.fleets import FLEETS, SmallFleet
from inferfleet.recovery.prove.search import Report, explore, walk


def main(argv: list[str] | None = None) -> int:
    """Searches every small fleet; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m inferfleet.recovery.prove", description=__doc__)
    parser.add_argument("--depth", type=int, default=0, help="steps, instead of each fleet's own")
    parser.add_argument("--walks", type=int, default=2000, help="random walks for each fleet")
    parser.add_argument("--fleet", choices=sorted(FLEETS), action="append", help="only this fleet; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(argv)
    began = time.monotonic()
    states = violations = 0
    for name in chosen.fleet or FLEETS:
        fleet = FLEETS[name]
        found = explore(fleet.make, depth=chosen.depth or fleet.depth)
        walked = walk(fleet.make, walks=chosen.walks, length=150, seed=chosen.seed)
        _print(name, fleet, found, walked)
        states += found.states + walked.states
        violations += len(found.violations) + len(walked.violations)
    print(f"states explored: {states:,}; violations: {violations}; {time.monotonic() - began:.0f} s")
    return 1 if violations else 0


def _print(name: str, fleet: SmallFleet, found: Report, walked: Report) -> None:
    print(
        f"{name}: {fleet.about}\n"
        f"  exhaustive to depth {found.depth}: {found.states:,} states, {found.steps:,} steps, "
        f"{found.settled:,} runs to rest with all events lost, {len(found.violations)} violations, "
        f"{found.seconds:.0f} s\n"
        f"  {walked.walks:,} random walks of 150 steps: {walked.states:,} states, {walked.settled:,} runs to rest, "
        f"{len(walked.violations)} violations, {walked.seconds:.0f} s",
        flush=True,
    )
    for text, path in (found.violations + walked.violations)[:3]:
        print(f"  VIOLATION {text}")
        print("    " + " · ".join(" ".join(step) for step in path))


if __name__ == "__main__":
    sys.exit(main())
