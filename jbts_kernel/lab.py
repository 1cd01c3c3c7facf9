"""JupyterLab around the notebook: writes cells, runs them, and gives a widget a place at the side.

A kernel cannot write cells. JupyterLab's own commands can, and ipylab lets a kernel call them; what they do is
what the same words in JupyterLab's menus do, so undo works and the notebook is saved as ever.
"""

from __future__ import annotations

from typing import Any

import ipylab


class Lab:
    """The front end. ``ready`` says whether there is one that does what it is told: under Voila, in a terminal and
    in other editors there is not."""

    def __init__(self) -> None:
        self.ready = False
        self._aside = ""
        self._app = ipylab.JupyterFrontEnd()
        self._app.on_ready(self._arrived)

    def _arrived(self) -> None:
        self.ready = True

    def write(self, text: str, *, run: bool, here: bool) -> bool:
        """Put ``text`` into a new cell below the current one, or into that itself where ``here`` says that it is
        empty, and run it if asked; whether there is somebody to do it."""
        if self.ready:
            if not here:
                self._do("notebook:insert-cell-below")
            self._do("notebook:replace-selection", text=text)
            if run:
                self._do("notebook:run-cell")
        return self.ready

    def aside(self, widget: Any, title: str) -> bool:
        """Put a widget into the right side bar; whether there is somebody to do it. JupyterLab makes its view in its
        own time: once that has spoken, :meth:`reveal` opens the side bar on it."""
        if self.ready:
            panel = ipylab.Panel(children=[widget])
            panel.title.label, panel.title.caption = title, f"{title}: the page and the steps"
            self._aside = f"jbts-{panel.model_id}"
            place = {"serializedWidget": f"IPY_MODEL_{panel.model_id}", "id": self._aside, "area": "right", "args": {}}
            self._app.shell.send({"func": "add", "payload": place})  # which add() does, but for the name
        return self.ready

    def reveal(self) -> None:
        """Show what was put aside last, once."""
        if self._aside:
            self._do("tabsmenu:activate-by-id", id=self._aside)
            self._aside = ""

    def save(self) -> None:
        """Save the notebook."""
        self._do("docmanager:save")

    def _do(self, command: str, **arguments: Any) -> None:
        self._app.commands.execute(command, arguments)
