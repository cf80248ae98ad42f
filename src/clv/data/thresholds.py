"""The numbers that the checks act on, in one place."""

GAP_DAYS = 30  # D014: a silence before as_of longer than this …
GAP_FACTOR = 3  # D014: … and than this many times the longest silence in the log
EXAMPLES = 5  # rows shown with a finding
MIN_CUSTOMERS = 200  # D031: a job on fewer is refused
MIN_REPEATERS = 20  # D032: fewer repeat buyers cannot show a pattern
