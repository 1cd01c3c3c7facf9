"""Telling people and machines outside: chat, mail and webhooks (apprise), and figures for Prometheus.

Both read the log like every other reader, in the hub, so what they tell costs a step nothing, and a
receiver that is slow or gone delays nobody. :mod:`.rules` is what is to be told to whom, :mod:`.occasions`
finds the moments in the log, :mod:`.courier` delivers, :mod:`.notifier` puts the three together;
:mod:`.metrics` counts.
"""
