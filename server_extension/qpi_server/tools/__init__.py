"""The command line: a lab of its own, backups, replays, what is in force."""
