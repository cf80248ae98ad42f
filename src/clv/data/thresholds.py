"""The numbers that the checks act on, in one place."""

GAP_DAYS = 30  # D014: a silence before as_of longer than this …
GAP_FACTOR = 3  # D014: … and than this many times the longest silence in the log
EXAMPLES = 5  # rows shown with a finding
