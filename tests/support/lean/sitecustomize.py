"""What Python runs first in the processes that tests start: they find none of the libraries that only QCoDeS brings.

xarray loads dask with the first Dataset, and pandas loads pyarrow, wherever they are installed: more than a third of a
driver's start. Nothing of the lab uses them, nor do the schedulers; `make lab` installs neither.
"""

from __future__ import annotations

import sys

for name in ("dask", "pyarrow"):
    sys.modules[name] = None  # type: ignore[assignment]
