"""``jbts generate``: a test from a sentence, without a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("generate")
@click.argument("requirement")
@click.option("--url", required=True, help="The page to begin at.")
@click.option(
    "-o", "--output", "--into", "output", required=True, type=click.Path(path_type=Path), help="The notebook to write."
)
@click.option("--model", default=None, help="Another model than JBTS.vision_generate_model.")
@click.option("--allow-foreign", is_flag=True, help="Keep steps that go to other sites.")
@click.option("--allow-custom", is_flag=True, help="Keep steps that run JavaScript.")
def generate_command(
    requirement: str, url: str, output: Path, model: str | None, allow_foreign: bool, allow_custom: bool
) -> None:
    """Write a test from a sentence into a notebook; it is not run.

    \b
    jbts generate "a customer can order a tray" --url http://127.0.0.1:8000/ -o order.ipynb
    """
    from .verbs import VERBS
    from .workbench import Workbench

    bench = Workbench()
    bench.emit_bundle = _print
    try:
        VERBS["generate"].function(
            bench, requirement.replace("${", "$${"), url=url, into=str(output), model=model,
            allow_foreign=allow_foreign, allow_custom=allow_custom,
        )  # fmt: skip
    finally:
        bench.close()


def _print(bundle: Any) -> None:
    """Show a command's answer in the terminal."""
    click.echo(bundle["text/plain"])
