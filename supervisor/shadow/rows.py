"""Shadow rows: the rows of shadows that a model has, which are not a part of its load."""

from __future__ import annotations

from supervisor.ballot import ModelVote


class ShadowRows:
    """Counts the rows of the votes for shadows that are open."""

    def __init__(self) -> None:
        self.open = 0

    def add(self, vote: ModelVote) -> None:
        """Counts the rows of `vote` until it is settled, if it is for a shadow."""
        if vote.is_shadow:
            self.open += vote.rows
            vote.done.add_done_callback(lambda _: self._remove(vote.rows))

    def _remove(self, rows: int) -> None:
        self.open -= rows
