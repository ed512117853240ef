"""`python -m conv1d_kit`: the command line, where no script is on the path."""

from .cli.main import main

if __name__ == "__main__":
    main()
