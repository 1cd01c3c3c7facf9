"""The broadcast: what happens in a project, told live to everyone who listens.

A hub (a background process of the project) tails the event log and serves it over WebSocket. Whoever
publishes only appends to the log, so a slow subscriber, a thousand of them or a dead hub never reach
back to a step. :mod:`.events` is what a notebook holds, :mod:`.client` what a subscriber uses,
:mod:`.discovery` finds the hub of a project, :mod:`.hub` is the hub itself.

Nothing is imported here: a notebook that is never watched does not pay for the WebSocket library.
"""
