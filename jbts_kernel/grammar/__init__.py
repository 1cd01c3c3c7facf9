"""Text to Step: words, signatures and values. Pure; nothing here touches a page or a file."""

from .lines import HelpWanted, bind, parse, parse_arguments, render
from .references import interpolate, references, value_of
from .signature import (
    COMMON_ABOUT,
    Chart,
    Cover,
    Expected,
    Input,
    Json,
    Locator,
    Names,
    Parameter,
    Path,
    Prose,
    Rest,
    Signature,
    common_options,
    nearest_verb,
    python_signature,
)
from .texts import clip, nearest, printable
from .values import LARGEST, check_required, convert
from .words import Token, join_nesting, literal, locator_word, quote, tokenize

__all__ = [
    "COMMON_ABOUT",
    "LARGEST",
    "Chart",
    "Cover",
    "Expected",
    "HelpWanted",
    "Input",
    "Json",
    "Locator",
    "Names",
    "Parameter",
    "Path",
    "Prose",
    "Rest",
    "Signature",
    "Token",
    "bind",
    "check_required",
    "clip",
    "common_options",
    "convert",
    "interpolate",
    "join_nesting",
    "literal",
    "locator_word",
    "nearest",
    "nearest_verb",
    "parse",
    "parse_arguments",
    "printable",
    "python_signature",
    "quote",
    "references",
    "render",
    "tokenize",
    "value_of",
]
