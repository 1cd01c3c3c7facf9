"""What differed between two attempts, as lines."""

from __future__ import annotations

from jbts_kernel.suite.comparison import StepNote, differences

GO = StepNote("go", "passed", "http://shop/", 100)
BUY = StepNote("buy", "passed", "http://shop/cart", 100)


def test_the_first_step_that_went_differently_is_told() -> None:
    """Its status with the error, and the page it was on; what follows from it is not."""
    failed = StepNote("buy", "failed", "http://shop/login", 100, "ExpectationFailed: no cart")
    assert differences([GO, failed], [GO, BUY, BUY]) == (
        "step 2, buy: failed in the failing attempt (ExpectationFailed: no cart), passed in the passing;"
        " at http://shop/login in the failing attempt, http://shop/cart in the passing",
    )


def test_other_steps_and_fewer_steps_are_told() -> None:
    """Attempts that took different ways, or where one ended early."""
    assert differences([BUY], [GO]) == ("step 1 was 'buy' in the failing attempt, 'go' in the passing",)
    assert differences([GO], [GO, BUY]) == ("1 steps ran in the failing attempt, 2 in the passing",)
    assert differences([GO, BUY], [GO, BUY]) == ()
    assert differences([], []) == ()


def test_what_only_the_failing_attempt_heard_is_told() -> None:
    """Console errors and failed requests the passing attempt had as well explain nothing; many are counted."""
    noisy = StepNote("go", "passed", GO.url, 100, "", ("old", *(f"new {n}" for n in range(5))), ("500 GET /api",))
    quiet = StepNote("go", "passed", GO.url, 100, "", ("old",))
    assert differences([noisy], [quiet]) == (
        *(f"console error only in the failing attempt: new {n}" for n in range(3)),
        "and 2 more of these",
        "failed request only in the failing attempt: 500 GET /api",
    )


def test_a_much_slower_step_is_told() -> None:
    """Several times as long and by more than a second; a little slower is weather."""
    assert differences([StepNote("go", "passed", "", 9000)], [StepNote("go", "passed", "", 1000)]) == (
        "go took 9.0 s in the failing attempt, 1.0 s in the passing",
    )
    assert differences([StepNote("go", "passed", "", 900)], [StepNote("go", "passed", "", 100)]) == ()
