package flumen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	columns "flumen/internal/wit/flumen_plugin_columns"
	types "flumen/internal/wit/flumen_plugin_types"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Batch is the events of one call, numbered from 0, over the columns as they came in:
//
//	Data, Spans          all bodies; body i is Data[Spans[2*i]:Spans[2*i+1]]. The bytes are this call's own: change
//	                     them in place and say BodiesChanged, then they go back without a copy.
//	Header(name)         a header's column, cut into values when read
//	Body, SetBody, Drop  single events; nothing is allocated for those that stay
//
// Edits take effect together, when the interceptor returns.
type Batch struct {
	Count int
	Data  []byte
	Spans []uint32

	headers  map[string]*Header
	keep     []uint64
	inPlace  bool
	bodies   map[int][]byte
	order    []string // The names of set, in the order in which they were set first.
	set      map[string]*change
	removed  []columns.HeaderRemoval
	rejected []types.Rejection
	added    []addition
}

type change struct {
	same string
	all  bool     // same is the value of every event,
	each []string // or each has one for every event,
	some map[int]string
}

type addition struct {
	body    []byte
	headers map[string]string
	after   int
}

// Header is one header over the batch.
type Header struct {
	rows   []uint32 // nil: every row.
	count  int
	same   bool
	data   string
	spans  []uint32
	places map[uint32]int
}

func newBatch(wire columns.Batch) *Batch {
	b := &Batch{Count: int(wire.Count)}
	if wire.Bodies.IsSome() {
		bodies := wire.Bodies.Some()
		b.Data, b.Spans = bodies.Data, bodies.Spans
	}
	if len(wire.Headers) > 0 {
		b.headers = make(map[string]*Header, len(wire.Headers))
	}
	for _, column := range wire.Headers {
		h := &Header{count: b.Count}
		if column.Rows.Tag() == types.RowsOnly {
			h.rows = column.Rows.Only()
			h.count = len(h.rows)
		}
		if column.Values.Tag() == types.ValuesSame {
			h.same, h.data = true, column.Values.Same()
		} else {
			each := column.Values.Each()
			h.data, h.spans = each.Data, each.Spans
		}
		b.headers[column.Name] = h
	}
	return b
}

// Len answers how many events have the header.
func (h *Header) Len() int { return h.count }

// At answers the row and the value of the i-th event that has the header.
func (h *Header) At(i int) (row int, value string) {
	row = i
	if h.rows != nil {
		row = int(h.rows[i])
	}
	if h.same {
		return row, h.data
	}
	return row, h.data[h.spans[2*i]:h.spans[2*i+1]]
}

// Get answers the value of a row, and whether it has one.
func (h *Header) Get(row int) (string, bool) {
	if h.rows == nil {
		_, value := h.At(row)
		return value, true
	}
	if h.places == nil {
		h.places = make(map[uint32]int, len(h.rows))
		for i, r := range h.rows {
			h.places[r] = i
		}
	}
	i, found := h.places[uint32(row)]
	if !found {
		return "", false
	}
	_, value := h.At(i)
	return value, true
}

// Header answers a header's column as it came in; nil when no event has it, or Needs did not ask for it.
func (b *Batch) Header(name string) *Header { return b.headers[name] }

// Names answers the names of the headers that came in, sorted.
func (b *Batch) Names() []string { return slices.Sorted(maps.Keys(b.headers)) }

// Body answers the bytes of an event, as SetBody left them.
func (b *Batch) Body(row int) []byte {
	if body, found := b.bodies[row]; found {
		return body
	}
	end := b.Spans[2*row+1]
	return b.Data[b.Spans[2*row]:end:end]
}

// BodiesChanged says that Data (or Spans) was changed in place, and goes back.
func (b *Batch) BodiesChanged() { b.inPlace = true }

// SetBody gives an event a new body.
func (b *Batch) SetBody(row int, body []byte) {
	if b.bodies == nil {
		b.bodies = make(map[int][]byte)
	}
	b.bodies[row] = body
}

// Drop filters an event out.
func (b *Batch) Drop(row int) {
	if b.keep == nil {
		b.keep = make([]uint64, (b.Count+63)/64)
		for i := range b.keep {
			b.keep[i] = ^uint64(0)
		}
	}
	b.keep[row/64] &^= 1 << (row % 64)
}

// Reject says that an event can never be processed: `onError` says what becomes of it.
func (b *Batch) Reject(row int, reason string) {
	b.rejected = append(b.rejected, types.Rejection{Row: uint32(row), Reason: reason})
}

func (b *Batch) change(name string) *change {
	c := b.set[name]
	if c == nil {
		if b.set == nil {
			b.set = make(map[string]*change)
		}
		c = &change{}
		b.set[name], b.order = c, append(b.order, name)
	}
	return c
}

// SetHeader sets a header of every event to one value.
func (b *Batch) SetHeader(name, value string) { *b.change(name) = change{same: value, all: true} }

// SetHeaders sets a header of every event to a value of its own.
func (b *Batch) SetHeaders(name string, values []string) {
	if len(values) != b.Count {
		panic(fmt.Sprintf("%d values of `%s` for %d events", len(values), name, b.Count))
	}
	*b.change(name) = change{each: values}
}

// SetHeaderOf sets a header of one event.
func (b *Batch) SetHeaderOf(row int, name, value string) {
	c := b.change(name)
	if c.some == nil {
		c.some = make(map[int]string)
	}
	c.some[row] = value
}

// RemoveHeader takes a header from every event. What is set, before or after, stays set.
func (b *Batch) RemoveHeader(name string) {
	b.removed = append(b.removed, columns.HeaderRemoval{Name: name, Rows: types.MakeRowsAll()})
}

// RemoveHeaderOf takes a header from these events, ascending. What is set, before or after, stays set.
func (b *Batch) RemoveHeaderOf(rows []uint32, name string) {
	b.removed = append(b.removed, columns.HeaderRemoval{Name: name, Rows: types.MakeRowsOnly(rows)})
}

// Add puts a new event behind the row after (Count: behind all).
func (b *Batch) Add(body []byte, headers map[string]string, after int) {
	b.added = append(b.added, addition{body, headers, after})
}

func (b *Batch) edits() columns.Edits {
	edits := columns.Edits{RemoveHeaders: b.removed, Rejected: b.rejected}
	if b.keep != nil {
		edits.Keep = wit.Some(b.keep)
	} else {
		edits.Keep = wit.None[[]uint64]()
	}
	edits.Bodies = b.bodyChange()
	for _, name := range b.order {
		if c := b.set[name]; c.each != nil || c.all || len(c.some) > 0 {
			edits.SetHeaders = append(edits.SetHeaders, c.column(name, b.Count))
		}
	}
	edits.Added = b.addition()
	return edits
}

func (b *Batch) bodyChange() wit.Option[columns.BodyChange] {
	if len(b.bodies) == 0 && !b.inPlace {
		return wit.None[columns.BodyChange]()
	}
	if len(b.bodies) == 0 {
		whole := types.Packed{Data: b.Data, Spans: b.Spans}
		return wit.Some(columns.BodyChange{Rows: types.MakeRowsAll(), Bodies: whole})
	}
	rows, which := types.MakeRowsAll(), make([]uint32, 0, b.Count)
	for row := range b.Count {
		if _, changed := b.bodies[row]; changed || b.inPlace {
			which = append(which, uint32(row))
		}
	}
	if len(which) < b.Count {
		rows = types.MakeRowsOnly(which)
	}
	items := make([][]byte, len(which))
	for i, row := range which {
		items[i] = b.Body(int(row))
	}
	return wit.Some(columns.BodyChange{Rows: rows, Bodies: pack(items)})
}

func pack(items [][]byte) types.Packed {
	total := 0
	for _, item := range items {
		total += len(item)
	}
	packed := types.Packed{Data: make([]byte, 0, total), Spans: make([]uint32, 0, 2*len(items))}
	for _, item := range items {
		packed.Spans = append(packed.Spans, uint32(len(packed.Data)))
		packed.Data = append(packed.Data, item...)
		packed.Spans = append(packed.Spans, uint32(len(packed.Data)))
	}
	return packed
}

func packText(values []string) types.PackedText {
	spans := make([]uint32, 0, 2*len(values))
	end := uint32(0)
	for _, value := range values {
		spans = append(spans, end, end+uint32(len(value)))
		end += uint32(len(value))
	}
	return types.PackedText{Data: strings.Join(values, ""), Spans: spans}
}

// column merges what was set whole with what was set of single rows, which counts.
func (c *change) column(name string, count int) types.Column {
	column := types.Column{Name: name, Rows: types.MakeRowsAll()}
	switch {
	case len(c.some) == 0 && c.all:
		column.Values = types.MakeValuesSame(c.same)
	case c.all || c.each != nil || len(c.some) == count:
		values := make([]string, count)
		for row := range values {
			values[row] = c.same
		}
		copy(values, c.each)
		for row, value := range c.some {
			values[row] = value
		}
		column.Values = types.MakeValuesEach(packText(values))
	default:
		rows, values := make([]uint32, 0, len(c.some)), make([]string, 0, len(c.some))
		for _, row := range slices.Sorted(maps.Keys(c.some)) {
			rows, values = append(rows, uint32(row)), append(values, c.some[row])
		}
		column.Rows, column.Values = types.MakeRowsOnly(rows), types.MakeValuesEach(packText(values))
	}
	return column
}

func (b *Batch) addition() wit.Option[columns.Addition] {
	if len(b.added) == 0 {
		return wit.None[columns.Addition]()
	}
	slices.SortStableFunc(b.added, func(x, y addition) int { return x.after - y.after })
	made := columns.Addition{}
	items, headers := make([][]byte, 0, len(b.added)), map[string]*change{}
	for row, new := range b.added {
		made.After = append(made.After, uint32(new.after))
		items = append(items, new.body)
		for name, value := range new.headers {
			if headers[name] == nil {
				headers[name] = &change{some: map[int]string{}}
			}
			headers[name].some[row] = value
		}
	}
	made.Bodies = pack(items)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		made.Headers = append(made.Headers, headers[name].column(name, len(b.added)))
	}
	return wit.Some(made)
}
