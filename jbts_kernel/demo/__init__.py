"""Copper & Pine: a small real shop on loopback to try browser tests on.

It is an ordinary web application, with a server that keeps state, validates forms and answers late, because
tests that pass against static files prove nothing. Importing this package is cheap: the application and
`http.server` load when a shop starts.
"""

from __future__ import annotations

from jbts_kernel.demo.server import Shop

__all__ = ["Shop"]
