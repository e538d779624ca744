"""``jupyter qpi`` whose files cannot grow (``HINDERED=full``), or bound by the permissions of files even as root."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

FULL_BYTES = 64 << 10
_CAPBSET_DROP, _DAC_OVERRIDE, _DAC_READ_SEARCH = 24, 1, 2

if __name__ == "__main__":
    if os.environ["HINDERED"] == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, resource.RLIM_INFINITY))
    else:
        for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):  # who is not root has neither
            ctypes.CDLL(None).prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-m", "qpi_server.tools.standalone", *sys.argv[1:]])
