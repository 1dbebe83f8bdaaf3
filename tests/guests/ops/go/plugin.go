// One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask.
package main

import (
	"bytes"

	"flumen"
)

var needle = []byte("ERROR-7")

func pass(*flumen.Batch) error { return nil }

func drop(batch *flumen.Batch) error {
	for row := range batch.Count {
		if bytes.Contains(batch.Body(row), needle) {
			batch.Drop(row)
		}
	}
	return nil
}

func header(batch *flumen.Batch) error {
	batch.SetHeader("env", "prod")
	return nil
}

func mask(batch *flumen.Batch) error {
	for i, c := range batch.Data {
		if c-'0' < 10 {
			batch.Data[i] = '#'
		}
	}
	batch.BodiesChanged()
	return nil
}

func init() {
	operations := map[string]flumen.Interceptor{"pass": pass, "drop": drop, "header": header, "mask": mask}
	flumen.Register(func(options *flumen.Options) (flumen.Interceptor, flumen.Needs, error) {
		op := options.Required("op")
		if operations[op] == nil {
			return nil, flumen.Needs{}, flumen.ConfigError{Key: "op", Message: "no such operation: `" + op + "`"}
		}
		return operations[op], flumen.Needs{Body: op == "drop" || op == "mask"}, nil
	})
}

func main() {}
