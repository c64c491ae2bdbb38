"""One thread for the linear algebra of each of pytest's processes: they share the cores."""

from __future__ import annotations

import os

from codesign.apart import THREADS

os.environ.update(dict.fromkeys(THREADS, "1"))

from hypothesis import settings

settings.register_profile("same everywhere", derandomize=True, deadline=None)
settings.load_profile("same everywhere")
