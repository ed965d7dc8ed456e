"""`python -m hatchet_cli`: the same as the `hatchet` command."""

from hatchet_cli.main import main

if __name__ == "__main__":
    main()
