"""The server side of the lab: the queue, its rules and its surfaces."""
