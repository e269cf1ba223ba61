"""Where a job is, told where nobody watches: how far, how long it takes, a line a minute."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable

import pytest

from clip_smu.cli import progress, pulse
from waiting import wait_for


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def strftime(self, _: str) -> str:
        return "12:34:56"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(pulse, "time", clock)
    return clock


def test_the_time_left_is_that_of_the_work_not_of_what_was_there(clock: _Clock) -> None:
    running = pulse.Pulse()
    assert running.line(clock.now) == "at work"
    running.tell("photos", 0, 10_000)
    clock.now += 1
    running.tell("photos", 5000, 10_000)  # a resumed job: there before
    clock.now += 100
    running.tell("photos", 6000, 10_000)
    assert running.line(clock.now) == "photos: 6,000 of 10,000 (60%), about 7 min left"
    running.tell("fold 1 of 2", 0, 300)
    clock.now += 60
    running.tell("fold 1 of 2", 30, 300)
    assert running.line(clock.now) == "fold 1 of 2: 30 of 300 (10%), about 9 min left"
    running.tell("strength", 0, 1)
    clock.now += 45
    assert running.line(clock.now) == "strength: at it for 45 s"
    running.tell("bytes", 1 << 20, None)
    assert running.line(clock.now) == "bytes: 1,048,576, at it for 1 s"


def test_how_long_a_long_job_takes_is_told_once_after_its_first_seconds(
    clock: _Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    running = pulse.Pulse()
    running.tell("photos", 0, 13_233)
    for second in range(60):
        clock.now += 1
        if second >= 5:  # five seconds for the model
            running.tell("photos", 233 + 20 * (second - 4), 13_233)
        if second == 6:
            assert not told.getvalue()
    assert told.getvalue() == "12:34:56 about 11 min for 13,233 photos\n"


def test_how_long_a_fit_takes_is_that_of_all_trainings(
    clock: _Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clip_smu.training.fit import _overall

    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    running = pulse.Pulse()
    tell = _overall(running.tell, 6, 1000)
    for step in range(200, 300):  # it goes on at 200
        tell("fold 1 of 5", step, 1000)
        clock.now += 0.1
    assert told.getvalue() == "12:34:56 about 10 min for all trainings\n"
    assert running.line(clock.now).startswith("fold 1 of 5: 299 of 1,000 (30%), about 71 s left")


def test_a_short_job_foretells_nothing(clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    running = pulse.Pulse()
    for done in range(120):
        running.tell("photos", done, 120)
        clock.now += 0.1
    assert not told.getvalue()


@pytest.mark.parametrize("bars", [progress.stage_bars, lambda: progress.progress_bar("photos", 100)])
def test_without_a_terminal_a_line_comes_whatever_the_job_does(
    bars: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    monkeypatch.setattr(pulse, "FIRST_S", 0.05)
    monkeypatch.setattr(pulse, "EVERY_S", 0.05)
    with pulse.beating():
        wait_for(lambda: told.getvalue().count("at work\n") >= 2)
        with bars() as advance:  # type: ignore[attr-defined]
            if bars is progress.stage_bars:
                advance("folds", 1, 5)
                wait_for(lambda: "folds: 1 of 5 (20%)" in told.getvalue())
            else:
                advance(40)
                wait_for(lambda: "photos: 40 of 100 (40%)" in told.getvalue())
    assert all(re.match(r"\d\d:\d\d:\d\d \S", line) for line in told.getvalue().splitlines())
    before = told.getvalue()
    time.sleep(0.2)
    assert told.getvalue() == before  # and no more of it when the job is done
