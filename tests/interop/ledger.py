"""Numbered events: what is sent, and the account of what has arrived.

An event is `NUMBER from SENDER FILLER`; its header `from` names the sender too, and `n` (where an agent sends) its
number. file_roll writes it as `{from=..., n=...} BODY`.
"""

import re
from collections import Counter

LINE = re.compile(r"\{(.*)\} (\d{7}) from (\S+) (.*)")
FIXED_FILLER = "Grüße"  # Of the Java programs.
LONG_EVERY, LONG_CHARS = 500, 20_000


def filler(number):
    """Bodies of many lengths, some longer than any buffer, with characters of two and three bytes."""
    if number % LONG_EVERY == LONG_EVERY - 1:
        return "x" * LONG_CHARS
    return "Grüße 世界 " * (number % 20) + "."


def lines(sender, count):
    return "".join(f"{n:07d} from {sender} {filler(n)}\n" for n in range(count))


class Arrivals:
    """Reads the files of a file_roll sink as they grow."""

    none = Counter()

    def __init__(self, folder):
        self.folder = folder
        self.seen = {}  # sender -> Counter of numbers
        self.bad = []
        self.offsets = {}

    def read(self):
        for path in sorted(self.folder.iterdir()):
            with open(path, "rb") as f:
                f.seek(self.offsets.get(path, 0))
                data = f.read()
            end = data.rfind(b"\n") + 1
            self.offsets[path] = self.offsets.get(path, 0) + end
            for line in data[:end].decode().splitlines():
                self._line(line)
        return self

    def _line(self, line):
        match = LINE.fullmatch(line)
        problem = wrong(match) if match else "is not an event of ours"
        if problem:
            self.bad.append(f"{line[:200]} {problem}")
            return
        self.seen.setdefault(match[3], Counter())[int(match[2])] += 1

    def count(self, sender):
        """How many different events of the sender are there."""
        return len(self.seen.get(sender, ()))

    def problems(self, sender, count, duplicates_allowed=False):
        """What is wrong with the events of a sender that sent `count` and got all acknowledged."""
        seen = self.seen.get(sender, Counter())
        lost = [n for n in range(count) if n not in seen]
        twice = sum(seen.values()) - len(seen)
        foreign = [n for n in seen if n >= count]
        found = list(self.bad[:3])
        if lost:
            found.append(f"{len(lost)} of {count} are lost, the first {lost[0]}")
        if twice and not duplicates_allowed:
            found.append(f"{twice} came twice")
        if foreign:
            found.append(f"{len(foreign)} were never sent")
        return found


def wrong(match):
    headers = dict(pair.split("=", 1) for pair in match[1].split(", "))
    if headers.get("from", headers.get("flume.client.log4j.logger.name")) != match[3]:
        return "has another header `from` than its body says"
    if "n" in headers and headers["n"] != match[2]:
        return "has another header `n` than its body says"
    if match[4] != FIXED_FILLER and match[4] != filler(int(match[2])):
        return "has another body than was sent"
    return ""
