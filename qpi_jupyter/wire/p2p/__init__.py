"""A bus over libp2p: `program` is the peer, in a process of its own; `process` is our end of that process."""
