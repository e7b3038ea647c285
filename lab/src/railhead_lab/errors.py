# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception family of the lab. It is caught once, in `cli.main`."""


class LabError(Exception):
    """Something the lab cannot do: what was attempted, what was found, what to do about it."""

    def __init__(self, attempted: str, found: str, advice: str = "") -> None:
        super().__init__(attempted, found, advice)
        self.attempted = attempted
        self.found = found
        self.advice = advice

    def __str__(self) -> str:
        text = f"{self.attempted}: {self.found}"
        return f"{text}\n  What to do: {self.advice}" if self.advice else text
