"""`python -m inferfleet` is `inferfleet`."""

from inferfleet.cli.main import main

if __name__ == "__main__":
    main()
