"""Ctrl-C and SIGTERM stop a command cleanly, whatever it is busy with."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from clip_smu.cli.show import note

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SOON_S = 0.5  # a signal that Python has not seen by then is sent once more, which ends a system call
PATIENCE_S = 10.0  # native code may be deaf for this long to a signal; then the process ends where it is
GO_ON = "stopped; run the same command again to go on"


class Stopped(BaseException):
    """A signal asked the command to stop; no ``except Exception`` on the way holds it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.words = GO_ON


def stop_code(number: int, words: str = GO_ON) -> int:
    note(words)
    return 128 + number


def deaf() -> None:
    """At the end of the process: all is done and told, and a signal changes nothing any more."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise :class:`Stopped` in the main thread, so that everything on the way is cleaned up.

    That may fail: a signal just before a long call of native code is seen by Python only when the call ends, and an
    exception raised in a destructor is swallowed there. So a thread hears the signal too, sends it once more, and in
    the end ends the process. Files are whole or not there at any moment, and workers end with it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    main = threading.get_ident()
    raised, over = threading.Event(), threading.Event()
    heard, bell = os.pipe()
    os.set_blocking(bell, False)

    def insist() -> None:
        number = os.read(heard, 1)[0]
        if number not in _SIGNALS:
            return
        for waiting, patience in ((raised, _SOON_S), (over, PATIENCE_S / 2)):
            if over.is_set():
                return
            if not waiting.wait(patience):
                signal.pthread_kill(main, number)
        if not over.wait(PATIENCE_S / 2):
            os._exit(stop_code(number))

    def stop(number: int, _: FrameType | None) -> None:
        raised.set()
        raise Stopped(number)

    watch = threading.Thread(target=insist, daemon=True)
    watch.start()
    wakeup = signal.set_wakeup_fd(
        bell, warn_on_full_buffer=False
    )  # written to at once, whatever Python is busy with
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    told = sys.unraisablehook
    sys.unraisablehook = lambda one: (
        None if isinstance(one.exc_value, Stopped) else told(one)
    )  # it is raised again
    try:
        yield
    finally:
        sys.unraisablehook = told
        over.set()
        raised.set()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.write(bell, b"\0")  # ends the watch
        watch.join()
        os.close(heard)
        os.close(bell)
