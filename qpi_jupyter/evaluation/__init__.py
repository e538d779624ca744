"""``jupyter qpi evaluate``: the same circuits whole, in parts and exactly, on a lab of its own, with troubles made.

`scenarios`   what one file asks for
`circuits`    circuits by their names, and their exact expectation values
`nodes`       a lab of driver processes: a delay before each, and its sudden end
`trials`      every circuit in every scenario, through ``lab.plan`` and ``lab.submit`` alone
`tables`      what came out as CSV, NetCDF and figures
"""

from __future__ import annotations
