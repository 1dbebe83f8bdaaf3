"""The batch as authors see it, over the columns as they came in.

    columns ──▶ Batch ──▶ batch.bodies        one bytes object and its spans      whole columns: ns per event
                  │  └──▶ batch.header(name)  a column, cut into values when read
                  └─────▶ for event in batch  a view: a row number and the batch  per event: about 1 µs
    edits are gathered by kind: rows dropped in a bitmap, new bodies and header values by row, whole columns as they are
"""

from itertools import accumulate

from wit_world.imports import columns as _columns
from wit_world.imports import types as _types

from flumen._options import Invalid

_ALL = _types.Rows_All()


def cut(data, spans):
    """The items of a packed column."""
    ends = iter(spans)
    return [data[start:end] for start, end in zip(ends, ends)]


def pack(items):
    """One buffer with the items behind each other, and their spans."""
    spans = [0] * (2 * len(items))
    ends = list(accumulate(map(len, items)))
    spans[1::2] = ends
    spans[2::2] = ends[:-1]
    return b"".join(items), spans


def pack_text(items):
    """The same for text; spans count UTF-8 bytes."""
    text = "".join(items)
    sizes = items if text.isascii() else [item.encode() for item in items]
    ends = list(accumulate(map(len, sizes)))
    spans = [0] * (2 * len(items))
    spans[1::2] = ends
    spans[2::2] = ends[:-1]
    return _types.PackedText(text, spans)


class Bodies:
    """The bodies of a batch: `data` and `spans` as they lie (item i is data[spans[2*i]:spans[2*i+1]])."""

    def __init__(self, packed):
        self.data = packed.data
        self.spans = packed.spans

    def __len__(self):
        return len(self.spans) // 2

    def __getitem__(self, row):
        return self.data[self.spans[2 * row]:self.spans[2 * row + 1]]

    def __iter__(self):
        data, ends = self.data, iter(self.spans)
        return (data[start:end] for start, end in zip(ends, ends))


class Header:
    """One header over the batch. `same` is its value when all its rows have one, else None."""

    def __init__(self, column, count):
        self._rows = None if isinstance(column.rows, _types.Rows_All) else column.rows.value
        self.same = column.values.value if isinstance(column.values, _types.Values_Same) else None
        self._packed = None if self.same is not None else column.values.value
        self._count = count
        self._values = None
        self._by_row = None

    @property
    def rows(self):
        """The rows that have it, ascending."""
        return range(self._count) if self._rows is None else self._rows

    def values(self):
        """One value for each of `rows`."""
        if self._values is None:
            if self.same is not None:
                self._values = [self.same] * len(self.rows)
            elif self._packed.data.isascii():
                self._values = cut(self._packed.data, self._packed.spans)
            else:
                self._values = [v.decode() for v in cut(self._packed.data.encode(), self._packed.spans)]
        return self._values

    def get(self, row):
        """The value of a row, or None."""
        if self._rows is None:
            return self.same if self.same is not None else self.values()[row]
        if self._by_row is None:
            self._by_row = dict(zip(self._rows, self.values()))
        return self._by_row.get(row)


class Event:
    """One event of a batch: a view, which edits the batch."""

    __slots__ = ("_batch", "row")

    def __init__(self, batch, row):
        self._batch = batch
        self.row = row

    @property
    def body(self):
        return self._batch.body(self.row)

    @body.setter
    def body(self, body):
        self._batch.set_body(self.row, body)

    def get(self, name, default=None):
        """The value of a header that `Needs` asked for (or that was set before), else `default`."""
        value = self._batch.header_of(self.row, name)
        return default if value is None else value

    def set(self, name, value):
        self._batch.set_header_of(self.row, name, value)

    def remove(self, name):
        self._batch.remove_header_of(self.row, name)

    def drop(self):
        """Filters it out."""
        self._batch.drop(self.row)

    def reject(self, reason):
        """It can never be processed: `onError` says what becomes of it."""
        self._batch.reject(self.row, reason)


class Batch:
    """The events of one call, numbered from 0. Edits take effect together, when `intercept` returns."""

    def __init__(self, batch):
        self.count = batch.count
        #: The bodies as one column; None when `Needs` did not ask for them.
        self.bodies = None if batch.bodies is None else Bodies(batch.bodies)
        self._columns = {column.name: column for column in batch.headers}
        self._headers = {}
        self._keep = None
        self._new_bodies = None
        self._body_of = {}
        self._set_all = {}
        self._set_rows = {}
        self._remove = {}
        self._rejected = []
        self._added = []

    def __len__(self):
        return self.count

    def __iter__(self):
        return (Event(self, row) for row in range(self.count))

    def __getitem__(self, row):
        if not 0 <= row < self.count:
            raise IndexError(row)
        return Event(self, row)

    # Whole columns.

    def header(self, name):
        """The header's column as it came in; None when no event has it (or `Needs` did not ask for it)."""
        header = self._headers.get(name)
        if header is None and name in self._columns:
            header = self._headers[name] = Header(self._columns[name], self.count)
        return header

    def names(self):
        """The names of the headers that came in."""
        return self._columns.keys()

    def set_header(self, name, value):
        """Sets it on every event: one value that all have, or a list with one for each."""
        self._set_rows.pop(name, None)
        if not isinstance(value, str) and len(value) != self.count:
            raise ValueError(f"{len(value)} values of `{name}` for {self.count} events")
        self._set_all[name] = value

    def set_header_rows(self, name, rows, values):
        """Sets it on these events, one value each."""
        self._set_rows.setdefault(name, {}).update(zip(rows, values, strict=True))

    def remove_header(self, name):
        """Takes it from every event."""
        self._set_all.pop(name, None)
        self._set_rows.pop(name, None)
        self._remove[name] = None

    def set_bodies(self, data, spans=None):
        """All bodies at once. Without `spans` the old ones stay: for changes that keep every length."""
        if spans is None:
            if len(data) != len(self.bodies.data):
                raise ValueError(f"{len(data)} bytes in place of {len(self.bodies.data)}: give spans")
            spans = self.bodies.spans
        if len(spans) != 2 * self.count:
            raise ValueError(f"{len(spans)} ends of spans for {self.count} events")
        self._body_of.clear()
        self._new_bodies = (data, spans)

    def add(self, body, headers=None, after=None, inherit=False):
        """A new event behind the row `after` (None: behind all), with that row's headers when `inherit`."""
        self._added.append((self.count if after is None else after, body, headers or {}, inherit))

    # One event.

    def body(self, row):
        if row in self._body_of:
            return self._body_of[row]
        if self._new_bodies is not None:
            data, spans = self._new_bodies
            return data[spans[2 * row]:spans[2 * row + 1]]
        return self.bodies[row]

    def set_body(self, row, body):
        self._body_of[row] = body

    def header_of(self, row, name):
        if name in self._set_rows and row in self._set_rows[name]:
            return self._set_rows[name][row]
        if name in self._set_all:
            value = self._set_all[name]
            return value if isinstance(value, str) else value[row]
        if name in self._remove and (self._remove[name] is None or row in self._remove[name]):
            return None
        header = self.header(name)
        return None if header is None else header.get(row)

    def set_header_of(self, row, name, value):
        rows = self._set_rows.get(name)
        if rows is None:
            rows = self._set_rows[name] = {}
        rows[row] = value

    def remove_header_of(self, row, name):
        if name in self._set_all:  # Rows of a column that was set whole: it becomes one of single rows.
            value = self._set_all.pop(name)
            rows = self._set_rows.setdefault(name, {})
            for other in range(self.count):
                rows.setdefault(other, value if isinstance(value, str) else value[other])
        self._set_rows.get(name, {}).pop(row, None)
        rows = self._remove.setdefault(name, set())
        if rows is not None:
            rows.add(row)

    def drop(self, row):
        """Filters the event out."""
        if self._keep is None:
            self._keep = bytearray(b"\xff" * (8 * ((self.count + 63) // 64)))
        self._keep[row >> 3] &= ~(1 << (row & 7))

    def reject(self, row, reason):
        self._rejected.append(_types.Rejection(row, reason))

    # What goes back.

    def _edits(self):
        keep = None if self._keep is None else list(memoryview(self._keep).cast("Q"))
        remove = [
            _columns.HeaderRemoval(name, _ALL if rows is None else _types.Rows_Only(sorted(rows)))
            for name, rows in self._remove.items()
        ]
        names = list(self._set_all) + [name for name in self._set_rows if name not in self._set_all]
        columns = [self._column(name) for name in names if name in self._set_all or self._set_rows[name]]
        return _columns.Edits(keep, self._body_change(), remove, columns, self._rejected, self._addition())

    def _body_change(self):
        if self._new_bodies is not None and not self._body_of:
            return _columns.BodyChange(_ALL, _types.Packed(*self._new_bodies))
        if not self._body_of:
            return None
        if self._new_bodies is not None or len(self._body_of) == self.count:
            items = [self.body(row) for row in range(self.count)]
            return _columns.BodyChange(_ALL, _types.Packed(*pack(items)))
        rows = sorted(self._body_of)
        items = [self._body_of[row] for row in rows]
        return _columns.BodyChange(_types.Rows_Only(rows), _types.Packed(*pack(items)))

    def _column(self, name):
        rows = self._set_rows.get(name)
        value = self._set_all.get(name)
        if not rows:
            return whole(name, value)
        if value is None and len(rows) < self.count:
            order = sorted(rows)
            values = [rows[row] for row in order]
            return _types.Column(name, _types.Rows_Only(order), _types.Values_Each(pack_text(values)))
        return whole(name, [self.header_of(row, name) for row in range(self.count)])

    def _addition(self):
        if not self._added:
            return None
        added = sorted(self._added, key=lambda new: new[0])
        inherit = {new[3] for new in added}
        if len(inherit) > 1:
            raise Invalid("events that inherit headers and others that do not were added to one batch")
        columns = {}
        for row, (_, _, headers, _) in enumerate(added):
            for name, value in headers.items():
                columns.setdefault(name, {})[row] = value
        headers = [
            _types.Column(name, _types.Rows_Only(list(rows)), _types.Values_Each(pack_text(list(rows.values()))))
            for name, rows in columns.items()
        ]
        bodies = _types.Packed(*pack([new[1] for new in added]))
        return _columns.Addition([new[0] for new in added], inherit.pop(), bodies, headers)


def whole(name, value):
    """A column over all rows: of one value, or of one each."""
    if isinstance(value, str):
        return _types.Column(name, _ALL, _types.Values_Same(value))
    return _types.Column(name, _ALL, _types.Values_Each(pack_text(value)))
