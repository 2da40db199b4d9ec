"""`python -m tests.chaos`: the long form, with its verdict as the last line. Ends with 1 when anything was lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Plan, run


def main() -> None:
    """Runs it as the command line says."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=usual.seconds)
    parser.add_argument("--cameras", type=int, default=usual.cameras)
    parser.add_argument("--workers", type=int, default=usual.workers)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--out", type=Path, help="Keeps logs and configurations here.")
    options = parser.parse_args()
    plan = Plan(seconds=options.seconds, cameras=options.cameras, workers=options.workers, seed=options.seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        folder = options.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        verdict = run(plan, folder)
    print("\n".join(verdict.lines()))
    sys.exit(not verdict.is_good)


if __name__ == "__main__":
    main()
