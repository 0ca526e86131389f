"""Reads nodes of the stored tree by tiles of 256, of which the last ones are remembered."""

from __future__ import annotations

from auditctl.database import Connection
from auditctl.evidence import merkle, stored_tree
from auditctl.evidence.checkpoint import EvidenceError

HEIGHT = 8
"""The height of a tile: it has 2^8 nodes of its lowest level."""

_TILES = 64

Tile = dict[tuple[int, int], bytes]
"""Hashes by level and index."""


class TreeReader:
    """Returns nodes of the tree of the first leaves.

    Args:
        conn: The connection; its login may read the log.
        size: How many leaves; at most those that are stored.
    """

    def __init__(self, conn: Connection, size: int) -> None:
        self._conn = conn
        self._size = size
        self._tiles: dict[tuple[int, int], Tile] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree.

        Raises:
            EvidenceError: It is missing: deleted with its events, or altered.
        """
        lowest = level - level % HEIGHT
        found = self.tile(lowest, index >> (HEIGHT - level % HEIGHT)).get((level, index))
        if found is None:
            raise EvidenceError(
                f"the store lacks hashes of the leaves {index << level} to {((index + 1) << level) - 1}",
                hint="Verify the log to find out what is missing.",
            )
        return found

    def tile(self, lowest: int, index: int) -> Tile:
        """Return the nodes of a tile that are there, of its own levels.

        Args:
            lowest: Its lowest level, a multiple of 8.
            index: Which of the tiles of that level.
        """
        found = self._tiles.pop((lowest, index), None)
        if found is None:
            found = self._read(lowest, index << HEIGHT, (index + 1) << HEIGHT)
            while len(self._tiles) >= _TILES:
                del self._tiles[next(iter(self._tiles))]
        self._tiles[lowest, index] = found
        return found

    def _read(self, lowest: int, start: int, end: int) -> Tile:
        tile = stored_tree.nodes(self._conn, lowest, start, min(end, self._size >> lowest))
        for level in range(lowest, lowest + HEIGHT - 1):
            for place in range(start, end, 2):
                left, right = tile.get((level, place)), tile.get((level, place + 1))
                if left is not None and right is not None:
                    tile.setdefault((level + 1, place >> 1), merkle.node_hash(left, right))
            start, end = start >> 1, end >> 1
        return tile
