"""The caller of a stream, whose rights change with the catalogs while the stream is open."""

from __future__ import annotations

from supervisor.callers.game_callers import GameCaller
from supervisor.callers.gate import CalledGame, CallerGate, Rpc
from supervisor.callers.peer import Call

NOT_A_CALLER = ""


class StreamCaller:
    """Admits the stream `call`. Raises Unauthenticated or NotAllowed."""

    def __init__(self, gate: CallerGate, call: Call, rpc: Rpc) -> None:
        self._gate = gate
        self._call = call
        self._rpc = rpc
        self._admission = gate.admit(call, rpc)

    @property
    def name(self) -> str | None:
        """The name under which streams share their turns and places; None if everybody may call.

        Peers that only games without callers admit have one name for all of them: they must not leave the callers of
        other games without streams.
        """
        if self._admission is None:
            return None
        caller = self._admission.caller
        return caller.name if caller is not None else NOT_A_CALLER

    def enter(self, game: CalledGame, version: str = "") -> GameCaller | None:
        """Returns the caller that may send the next request of the stream, as `CallerGate.enter` does.

        If the first catalog with callers came after the stream, its peer is recognised now.
        """
        if self._admission is None and not self._gate.is_open:
            self._admission = self._gate.admit(self._call, self._rpc)
        return self._gate.enter(game, self._admission, self._rpc, version)
