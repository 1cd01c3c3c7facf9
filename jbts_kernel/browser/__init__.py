"""The browser under a step: launch, session, locators, actionability, capture, signals, CDP."""
