"""Signals that arrive while the demo must not be interrupted."""

from __future__ import annotations

import os
import signal
import time

import pytest

from auditctl.demo.interrupts import Interrupts
from auditctl.errors import UsageError


def test_signal_is_held_back_until_it_is_allowed() -> None:
    reached = False
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        reached = interrupts.pending
        with interrupts.allowed():
            pytest.fail("the block was entered")
    assert reached


def test_signal_during_the_cleaning_up_after_another_is_held_back() -> None:
    cleaned = False
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        try:
            with interrupts.allowed():
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleaned = True
    assert cleaned


def test_held_back_signal_wins_over_another_error() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        os.kill(os.getpid(), signal.SIGHUP)
        raise UsageError("the program was killed by the same Ctrl-C")


def test_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupts.pending
    finally:
        signal.signal(signal.SIGHUP, before)
