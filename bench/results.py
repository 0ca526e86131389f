"""What was measured, one file for each benchmark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


def write(name: str, result: Mapping[str, Any]) -> None:
    """Write a benchmark's result to its file."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    """Read a benchmark's result; empty where it was never run."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        return {}
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result
