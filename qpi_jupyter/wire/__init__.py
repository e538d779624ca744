"""The messages: what kernels, servers, drivers and the panel say to one another.

`rest`      the native REST surface, one struct a body
`jobs`      its bodies about jobs, and what the events of a job hold
`frames`    what travels on a driver's link, and the subjects it travels under
`peer`      request, answer and publish over any ordered stream of text frames
`outputs`   what a job's output in a notebook holds
`results`   one stored or uploaded result: header and blob in one file
`events`    the durable event stream's rows

`WIRE_VERSION` grows when an old peer would misread a new message.
"""

from __future__ import annotations

WIRE_VERSION = 1
"""Said in ``hello``, in the owner file and in ``GET health``; peers of different versions refuse one another."""
