// One operation a run, for the table of guest-examples/LANGUAGES.md: option `op` is pass, drop, header or mask.
// `edits` does a bit of everything that the SDK offers, one event at a time.
package main

import (
	"bytes"
	"strings"

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

func edits() flumen.Interceptor {
	counter, gauge := flumen.NewCounter("edits", flumen.Field("kind", "all")), flumen.NewGauge("level")
	return func(batch *flumen.Batch) error {
		if batch.Count == 0 {
			return nil
		}
		host, _ := batch.Header("host").Get(3)
		batch.SetBody(0, []byte("new"))
		batch.Drop(1)
		batch.Reject(2, "bad")
		batch.SetHeaderOf(3, "a", host)
		batch.RemoveHeader("host")
		batch.SetHeader("seen", "yes")
		batch.SetHeaderOf(4, "seen", "särskild")
		batch.Add([]byte("added"), map[string]string{"new": "1"}, 0)
		if err := flumen.StateSet("k", []byte("v1")); err != nil {
			return err
		}
		value, err := flumen.StateGet("k")
		if err != nil {
			return err
		}
		keys, err := flumen.StateKeys("k", "", 10)
		if err != nil {
			return err
		}
		batch.SetHeaderOf(0, "state", string(value)+strings.Join(keys, ","))
		counter.Add(2)
		gauge.Set(0.5)
		flumen.Info("edited", flumen.Field("events", batch.Count))
		return nil
	}
}

func init() {
	operations := map[string]flumen.Interceptor{"pass": pass, "drop": drop, "header": header, "mask": mask}
	flumen.Register(func(options *flumen.Options) (flumen.Interceptor, flumen.Needs, error) {
		op := options.Required("op")
		if op == "edits" {
			return edits(), flumen.Needs{Body: true, Headers: []string{"host"}}, nil
		}
		if operations[op] == nil {
			return nil, flumen.Needs{}, flumen.ConfigError{Key: "op", Message: "no such operation: `" + op + "`"}
		}
		return operations[op], flumen.Needs{Body: op == "drop" || op == "mask"}, nil
	})
}

func main() {}
