"""Back to work after a command that nobody waits for any more, or after the driver died.

An interrupt or a deadline ends the waiting, not the command, and the driver would make the next command
wait for it. What runs is ended over the second channel where it can be (a navigation, the load of a page
that a press led to, a script that blocks the tab); what cannot (a promise that never settles, a driver that does not
answer) is left to the old driver, and a new one takes its place. Either way the browser and its pages stay.
"""

from __future__ import annotations

import time

from ..errors import BrowserGone, StepTimeout
from .engine import Browser
from .session import Session

ALIVE_SECONDS = 5.0
DYING_SECONDS = 1.0
"""How long a process whose connection broke may take to end."""
BUSY_SECONDS = 0.15
"""How long a driver may go on with a command nobody waits for before another takes its place."""
PROMISE_SECONDS = 1.0
"""The same where another cannot take its place, on a grid, for a script that may have ended."""
SLICE_SECONDS = 0.45
"""The same for a look at the page, which ends by itself: see SLICE_MS in :mod:`.actionability`."""


def recover(browser: Browser, session: Session) -> str:
    """Make the driver free for the next command; what had to be done for it, in a line for the card, or
    nothing. Costs nothing where no command was given up.

    Raises:
        BrowserGone: it cannot be brought back.
    """
    given_up = browser.patience.abandoned_at
    if given_up is None and browser.driver_runs:
        return ""
    done = []
    if browser.address:
        try:
            browser.channel.call("Browser.getVersion", timeout=ALIVE_SECONDS)
        except StepTimeout:
            raise BrowserGone(f"the browser has not answered for {ALIVE_SECONDS:g} s") from None
    if given_up is not None and (ended := session.unblock()):
        done.append(ended)
    if not browser.address:  # its driver cannot be replaced
        waits = browser.patience.abandoned == "w3cExecuteScript" and not browser.patience.free(PROMISE_SECONDS)
        if given_up is not None and waits and session.load_again():
            done.append("the driver waited for a script without an end, so its page was loaded again, in another tab")
        if not browser.answers(ALIVE_SECONDS):
            raise BrowserGone(f"the driver has not answered for {ALIVE_SECONDS:g} s")
        return "; ".join(done)
    busy = SLICE_SECONDS if browser.patience.abandoned == "w3cExecuteScriptAsync" else BUSY_SECONDS
    left = given_up + busy - time.monotonic() if given_up is not None else 0.0
    if not browser.driver_runs or not browser.patience.free(left):
        what = "did not answer" if browser.driver_runs else "had died"
        browser.replace_driver()
        done.append(f"the driver {what} and was replaced; the page is as it was")
    return "; ".join(done)
