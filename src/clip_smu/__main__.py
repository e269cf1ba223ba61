"""Where ``clip-smu`` and ``python -m clip_smu`` begin."""

import signal


def main() -> None:
    """Runs the command line. Ctrl-C ends the process silently until the command line is loaded and can tell of it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from clip_smu.cli import main as run

    run()


if __name__ == "__main__":
    main()
