"""``python -m clip_smu``: the command line, where ``clip-smu`` itself is not on the path."""

from clip_smu.cli import main

if __name__ == "__main__":
    main()
