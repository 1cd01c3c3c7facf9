"""The store: the log as tables and views that anybody can query while it is being written.

:mod:`.publish` makes generations of ``results.duckdb`` from the log, :mod:`.queries` reads them,
:mod:`.schema` and :mod:`.views` say what is in them. Names are taken from these modules; no import of
them imports a database: that happens at the first use.
"""
