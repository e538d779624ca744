"""The rules of the lab: standard library only, no clock, no I/O, no randomness.

========================  ===========================================================
`errors`                  who must act
`programs`, `manifest`    what to run, and what a QPU can do
`jobs`, `lifecycle`       the life of a job: one table
`planner`, `bookings`     who goes next, and why not
`accounting`              QPU-seconds
`access`                  roles and permissions
`results`                 a result's header as Qiskit's Result
========================  ===========================================================
"""
