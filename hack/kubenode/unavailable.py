"""What this machine lacks for a cluster: rights, programs, a compiler."""


class Unavailable(Exception):
    """Its text says what is missing and what to do. hack/cluster ends with 69 then, so that callers can
    tell a machine that cannot from a cluster that failed."""
