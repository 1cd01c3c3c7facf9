"""Every verb, by the noun it is about. Importing this fills the registry."""

from . import (  # noqa: F401 - importing them registers their verbs
    acting,
    checkpoints,
    commands,
    expecting,
    files,
    http,
    mocking,
    navigation,
    pages,
    reading,
    state,
    vision,
    waiting,
    writing,
)
from .registry import ACTING, BEGINNING, VERBS

__all__ = ["ACTING", "BEGINNING", "VERBS"]
