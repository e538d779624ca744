"""Other programs' calendar files (iCalendar, RFC 5545): read in a process of their own, in bounded time."""
