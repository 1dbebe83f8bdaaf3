package flumen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	types "flumen/internal/wit/flumen_plugin_types"
)

// Options are the settings `config.KEY = VALUE`. A reader that fails remembers its error, with the key, and answers
// the default; the first one is what the operator sees.
type Options struct {
	values map[string]string
	keys   []string
	known  []string
	err    error
}

func newOptions(pairs types.Options) *Options {
	o := &Options{values: make(map[string]string, len(pairs))}
	for _, pair := range pairs {
		// A text of its own: the host's bytes live as long as the call.
		o.keys = append(o.keys, strings.Clone(pair.F0))
		o.values[strings.Clone(pair.F0)] = strings.Clone(pair.F1)
	}
	return o
}

func (o *Options) unknown() error {
	for _, key := range o.keys {
		if !slices.Contains(o.known, key) {
			return unknownOption(key, o.known)
		}
	}
	return nil
}

func (o *Options) fail(key, format string, arguments ...any) {
	if o.err == nil {
		o.err = ConfigError{key, fmt.Sprintf(format, arguments...)}
	}
}

// Lookup answers the text as it is written, and whether the option is there.
func (o *Options) Lookup(key string) (string, bool) {
	o.known = append(o.known, key)
	value, found := o.values[key]
	return value, found
}

// Text answers the text as it is written.
func (o *Options) Text(key, otherwise string) string {
	if value, found := o.Lookup(key); found {
		return value
	}
	return otherwise
}

// Required answers the text as it is written; that it is missing is an error.
func (o *Options) Required(key string) string {
	value, found := o.Lookup(key)
	if !found {
		o.fail(key, "`%s` is missing", key)
	}
	return value
}

// Integer answers a whole number from least to most.
func (o *Options) Integer(key string, otherwise, least, most int64) int64 {
	text, found := o.Lookup(key)
	if !found {
		return otherwise
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < least || number > most {
		o.fail(key, "`%s` is not a whole number from %d to %d", text, least, most)
		return otherwise
	}
	return number
}

// Boolean answers whether the text is `true`; anything but `true` and `false` is an error.
func (o *Options) Boolean(key string, otherwise bool) bool {
	text, found := o.Lookup(key)
	switch {
	case !found:
		return otherwise
	case strings.EqualFold(text, "true"):
		return true
	case !strings.EqualFold(text, "false"):
		o.fail(key, "`%s` is neither `true` nor `false`", text)
	}
	return false
}
