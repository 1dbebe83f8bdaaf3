// As the native interceptor static, with the same options: see guest-examples/README.md.
package main

import (
	"strings"

	"flumen"
)

func configure(options *flumen.Options) (flumen.Interceptor, flumen.Needs, error) {
	key, value := options.Text("key", "key"), options.Text("value", "value")
	// As Java's Boolean.parseBoolean: all else is false.
	preserve := strings.EqualFold(options.Text("preserveExisting", "true"), "true")
	needs := flumen.Needs{}
	if preserve {
		needs.Headers = []string{key}
	}
	return func(batch *flumen.Batch) error {
		column := batch.Header(key)
		if column == nil {
			batch.SetHeader(key, value)
			return nil
		}
		for row := range batch.Count {
			if _, has := column.Get(row); !has {
				batch.SetHeaderOf(row, key, value)
			}
		}
		return nil
	}, needs, nil
}

func init() { flumen.Register(configure) }

func main() {}
