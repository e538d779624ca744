"""The process that has the lab: who owns the folder, who forwards, what is exposed, which drivers it starts."""
