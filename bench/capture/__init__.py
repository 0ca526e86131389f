"""What capture costs a writer: one file for each way to look at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditctl.demo.server import EmbeddedServer
from bench.capture import bulk, commits, flat, memory, single, size, wide

Part = Callable[[EmbeddedServer, bool], dict[str, Any]]

PARTS: Mapping[str, Part] = {
    "single": single.run,
    "wide": wide.run,
    "bulk": bulk.run,
    "flat": flat.run,
    "size": size.run,
    "memory": memory.run,
    "commits": commits.run,
}
"""By name, in the order in which they run. Each takes a server and whether to be quick."""
