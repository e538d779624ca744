"""The driver daemon ``qpi-agent``: it sits beside one QPU, dials out to a lab and runs the lab's jobs.

::

    cli        the command line                settings   flags, environment, config file: one table
    agent      puts the parts together         trust      TLS and the pinned certificate authority
    link       the WebSocket to the lab        transfer   results and programs over HTTP
    bench      which attempts are in hand      spool      results on disk until the lab has them
    place      one place: one warm run child   checker    the prepare child
    process    a child as the agent sees it    child      the same from inside; ``messages`` is what they say
    previewer  a child for previews            fair_pool  who has a prepare child next
    partial    rows of a run, in the child     rows       the same on their way to the lab
    telemetry  its log and load, for the lab   backoff    how long to wait before the next try

Everything runs on one asyncio loop in the main thread; executors live in child processes alone.
"""
