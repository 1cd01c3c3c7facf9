"""Forked kernels as jupyter_client sees them: a provisioner and a manager."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.paths import jupyter_path
from traitlets import Any as AnyTrait
from traitlets import default

from .forking import ForkedKernel, ForkServer


class ForkProvisioner(LocalProvisioner):
    """Starts a kernel by forking where that gives the same, else as its parent class does."""

    process: Any
    parent: Any

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        server: ForkServer | None = self.parent.server
        environment = kwargs.get("env") or os.environ
        if server is None or not server.can(cmd, environment):
            return await super().launch_kernel(cmd, **kwargs)
        folder = str(kwargs.get("cwd") or Path.cwd())
        output, error = kwargs.get("stdout"), kwargs.get("stderr")
        out = 1 if output is None else output.fileno()
        err = out if error == subprocess.STDOUT else 2 if error is None else error.fileno()
        self.process = await asyncio.to_thread(server.fork, cmd, environment, folder, out, err)
        self.pid = self.pgid = self.process.pid
        self.cwd = folder
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait until the process has ended, without asking ten times a second whether it has."""
        await ended(self.process)
        return await super().wait()


async def ended(process: Any) -> None:
    """Return when a forked kernel has ended; at once for any other process."""
    if not isinstance(process, ForkedKernel) or process.poll() is not None:
        return
    loop, descriptor = asyncio.get_running_loop(), process.fileno()
    over = loop.create_future()
    loop.add_reader(descriptor, over.cancel)
    try:
        await asyncio.wait([over])
    finally:
        loop.remove_reader(descriptor)


class KernelSpecs(KernelSpecManager):
    """Looks for kernels where its parent class does, but without importing IPython to learn where its folder is."""

    @default("kernel_dirs")
    def _kernel_dirs_default(self) -> list[str]:
        own = os.environ.get("IPYTHONDIR") or "~/.ipython"
        return [*jupyter_path("kernels"), str(Path(own).expanduser() / "kernels")]


class ForkKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels are forked where they can be. ``server`` is where from."""

    server: Any = AnyTrait(None)

    @default("kernel_spec_manager")
    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecs(data_dir=self.data_dir)

    _PLAIN: ClassVar[tuple[object, ...]] = (None, "local-provisioner")

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        spec: Any = self.kernel_spec
        named = (spec.metadata.get("kernel_provisioner") or {}).get("provisioner_name")
        if self.provisioner is None and self.server is not None and named in self._PLAIN:
            self.provisioner = ForkProvisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        prepared: tuple[list[str], dict[str, Any]] = await super()._async_pre_start_kernel(**kwargs)
        return prepared
