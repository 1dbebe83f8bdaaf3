// Masks digits: see guest-examples/README.md for what it does, in every language.
package main

import (
	"bytes"
	"strconv"

	"flumen"
)

type maskDigits struct {
	char   byte
	header string
	drop   []byte
}

func configure(options *flumen.Options) (flumen.Interceptor, flumen.Needs, error) {
	char := options.Text("char", "#")
	if len(char) != 1 || char[0] > 127 {
		return nil, flumen.Needs{}, flumen.ConfigError{Key: "char", Message: "`" + char + "` is not one ASCII character"}
	}
	header, hasHeader := options.Lookup("header")
	if hasHeader && header == "" {
		return nil, flumen.Needs{}, flumen.ConfigError{Key: "header", Message: "a header's name cannot be empty"}
	}
	drop, hasDrop := options.Lookup("drop")
	if hasDrop && drop == "" {
		return nil, flumen.Needs{}, flumen.ConfigError{Key: "drop", Message: "the empty text is in every body"}
	}
	m := &maskDigits{char: char[0], header: header, drop: []byte(drop)}
	needs := flumen.Needs{Body: true}
	if hasHeader {
		needs.Headers = []string{header}
	}
	return m.intercept, needs, nil
}

// mask replaces the digits in place and answers how many there were.
func (m *maskDigits) mask(text []byte) (count int) {
	for i, c := range text {
		if c-'0' < 10 {
			text[i] = m.char
			count++
		}
	}
	return count
}

func (m *maskDigits) intercept(batch *flumen.Batch) error {
	counts := make([]int, batch.Count)
	for row := range counts {
		body := batch.Body(row)
		if len(m.drop) > 0 && bytes.Contains(body, m.drop) {
			batch.Drop(row)
		}
		counts[row] = m.mask(body)
	}
	batch.BodiesChanged()
	if column := batch.Header(m.header); column != nil {
		for i := range column.Len() {
			row, value := column.At(i)
			masked := []byte(value)
			counts[row] += m.mask(masked)
			batch.SetHeaderOf(row, m.header, string(masked))
		}
	}
	numbers := make([]string, batch.Count)
	for row, count := range counts {
		numbers[row] = strconv.Itoa(count)
	}
	batch.SetHeaders("masked", numbers)
	return nil
}

func init() { flumen.Register(configure) }

func main() {}
