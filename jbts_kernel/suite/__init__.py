"""Suites: notebooks run as tests.

Nothing is imported here, because papermill loads :mod:`.engine` whenever anything imports papermill.
"""

CELL_TIMEOUT = 600.0
"""Seconds a cell may take unless told otherwise: a suite must end."""
