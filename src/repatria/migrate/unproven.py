"""How much a power cut may cost: bytes that were asked for at the sources and are not proven at the target yet."""

import threading

MOST_VOLUMES = 1.9
"""In volumes: one on its way to the target while most of the next one comes."""


class Unproven:
    """A sum that stays under a limit; asked by one thread, told of proofs by others.

    Whoever asks does so in the order in which volumes are proven, and a volume is smaller than the limit: so the
    oldest volume is always asked for to its end, and what it holds comes free.
    """

    def __init__(self, volume_size: int) -> None:
        self._limit = int(volume_size * MOST_VOLUMES)
        self._sum = 0
        self._change = threading.Condition()

    def has_room(self, amount: int) -> bool:
        """Return whether as many bytes may be asked for now; if nothing is unproven, any number."""
        return not self._sum or self._sum + amount <= self._limit

    def add(self, amount: int) -> None:
        """Count bytes that are asked for from now on, and what stands beside them: headers of members and replies."""
        with self._change:
            self._sum += amount

    def proven(self, amount: int) -> None:
        """Take away bytes that are safe at the target, or of no use any more."""
        with self._change:
            self._sum -= amount
            self._change.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until something changes, but not for longer than `seconds`."""
        with self._change:
            self._change.wait(seconds)
