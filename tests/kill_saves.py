"""A program for test_place: saves killed at every step, a reader and a second writer at work beside them.

    python kill_saves.py DESIGN FOLDER MOMENTS SEED

Half of the moments lie inside the save (before its nth change of the file system), half are random times.
Prints one line for each fault; nothing where every reader met a whole design and the next save went.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from codesign.design import Design

STEPS = (
    (os, "rename"), (os, "mkdir"), (os, "rmdir"), (os, "unlink"), (Path, "rename"), (Path, "mkdir"),
    (Path, "write_text"), (Path, "open"), (shutil, "rmtree"),
)  # fmt: skip


def killed_before(step: int) -> None:
    """From now on, this process ends by SIGKILL before its `step`th change of the file system."""
    left = [step]
    for home, name in STEPS:
        original = getattr(home, name)

        def counted(*given: Any, _original: Any = original, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return _original(*given, **named)

        setattr(home, name, counted)


def child(work: Any) -> int:
    """Fork; the child does the work and leaves."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException as error:
        print(f"{work.__name__}: {type(error).__name__}: {error}", flush=True)
    os._exit(0)


def main(source: str, folder: str, moments: int, seed: int) -> None:
    older = Design.load(source)
    newer = older.with_({"sizes.contract.value": older.sizes["contract"].value + 1.0})
    place = Path(folder) / "d"
    older.save(place)
    draw, until = random.Random(seed), time.monotonic() + 600.0

    def reading() -> None:
        while time.monotonic() < until:
            assert Design.load(place) in (older, newer), "a design that nobody saved"

    def writing() -> None:
        while time.monotonic() < until:
            newer.save(place)
            time.sleep(0.05)

    beside = [child(reading), child(writing)]
    for moment in range(moments):

        def victim(moment: int = moment) -> None:
            if moment % 2:
                killed_before(draw.randrange(60))
            (older if moment % 4 < 2 else newer).save(place)

        pid = child(victim)
        if not moment % 2:
            time.sleep(draw.uniform(0.0, 0.2))
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        older.save(place)
        if Design.load(place) not in (older, newer):
            print(f"moment {moment}: not a design that was saved")
    for pid in beside:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    older.save(place)
    left = sorted(each.name for each in place.parent.iterdir())
    if Design.load(place) != older or left != ["d"]:
        print(f"left: {left}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
