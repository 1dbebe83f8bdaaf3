// {{name}}: sets a header on every event, and drops the events whose body is empty.
package main

import "flumen"

func configure(options *flumen.Options) (flumen.Interceptor, flumen.Needs, error) {
	header := options.Text("header", "{{name}}")
	value := options.Text("value", "true")
	intercept := func(batch *flumen.Batch) error {
		batch.SetHeader(header, value) // All events at once.
		for row := range batch.Count { // Or one by one.
			if len(batch.Body(row)) == 0 {
				batch.Drop(row)
			}
		}
		return nil
	}
	return intercept, flumen.Needs{Body: true}, nil
}

func init() { flumen.Register(configure) }

func main() {}
