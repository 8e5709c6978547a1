"""`python -m icfast`: the command line."""

from icfast.cli import main

if __name__ == "__main__":
    main()
