// Package flumen is for Flumen plugins in Go.
//
//	func init() {
//		flumen.Register(func(options *flumen.Options) (flumen.Interceptor, flumen.Needs, error) {
//			value := options.Text("value", "prod")
//			return func(batch *flumen.Batch) error {
//				batch.SetHeader("env", value)
//				return nil
//			}, flumen.Needs{}, nil
//		})
//	}
//
//	func main() {}
//
// Invariants:
//
//   - An option that was not asked for while configuring is an error with its key; so is one whose reader failed.
//   - An error is an answer: ConfigError, Retry, Invalid, Fatal say what the host does next, any other one is Invalid.
//     A panic is a trap: the host discards the instance.
//   - The collector never runs by itself. A collection inside cabi_realloc would read the clock while the component
//     may not leave; so it is off, and run at the start of a call when 8 MiB were allocated since the last.
package flumen

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"

	"flumen/internal/wit/export_flumen_plugin_intercept"
	columns "flumen/internal/wit/flumen_plugin_columns"
	types "flumen/internal/wit/flumen_plugin_types"
	_ "flumen/internal/wit/wit_exports"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Interceptor edits a batch in place. The batch may be empty, and events may be seen again.
type Interceptor func(*Batch) error

// Needs is what a plugin reads of each batch; what is not asked for is not copied in.
type Needs struct {
	Body       bool
	Headers    []string // Those with these names.
	AllHeaders bool
}

// Configure is called once, before anything else. An error of the options' readers comes before its own.
type Configure func(*Options) (Interceptor, Needs, error)

// ConfigError says that the configuration is wrong; Key is the option at fault, "" for a combination of several.
type ConfigError struct{ Key, Message string }

func (e ConfigError) Error() string { return e.Message }

// Retry says that the same call may succeed later: the host gives the same input again, after a pause that grows.
type Retry string

func (e Retry) Error() string { return string(e) }

// Invalid says that this input can never succeed: the host does with it what `onError` says, and goes on.
type Invalid string

func (e Invalid) Error() string { return string(e) }

// Fatal says that the instance is broken: the host discards it, and configures a fresh one.
type Fatal string

func (e Fatal) Error() string { return string(e) }

func answer(err error) types.Error {
	var config ConfigError
	var retry Retry
	var fatal Fatal
	switch {
	case errors.As(err, &config) && config.Key == "":
		return types.MakeErrorConfig(types.ConfigError{Key: wit.None[string](), Message: config.Message})
	case errors.As(err, &config):
		return types.MakeErrorConfig(types.ConfigError{Key: wit.Some(config.Key), Message: config.Message})
	case errors.As(err, &retry):
		return types.MakeErrorRetry(err.Error())
	case errors.As(err, &fatal):
		return types.MakeErrorFatal(err.Error())
	}
	return types.MakeErrorInvalid(err.Error())
}

var interceptor Interceptor

// Register names the plugin's interceptor. Called once, from an init function.
func Register(configure Configure) {
	export_flumen_plugin_intercept.Configure = func(pairs types.Options) wit.Result[columns.Needs, types.Error] {
		options := newOptions(pairs)
		made, needs, err := configure(options)
		if err = errors.Join(options.err, err, options.unknown()); err != nil {
			return wit.Err[columns.Needs](answer(err))
		}
		interceptor = made
		return wit.Ok[columns.Needs, types.Error](needs.wire())
	}
	export_flumen_plugin_intercept.Intercept = intercept
}

func intercept(wire columns.Batch) wit.Result[columns.Edits, types.Error] {
	collect()
	batch := newBatch(wire)
	if err := interceptor(batch); err != nil {
		return wit.Err[columns.Edits](answer(err))
	}
	return wit.Ok[columns.Edits, types.Error](batch.edits())
}

func (n Needs) wire() columns.Needs {
	headers := columns.MakeHeaderNeedNothing()
	switch {
	case n.AllHeaders:
		headers = columns.MakeHeaderNeedAll()
	case len(n.Headers) > 0:
		headers = columns.MakeHeaderNeedOnly(n.Headers)
	}
	return columns.Needs{Body: n.Body, Headers: headers}
}

const garbageBytesMax = 8 << 20

var (
	allocated = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	collected uint64
)

func init() { debug.SetGCPercent(-1) }

// collect frees what the calls before left behind; this call's arguments are reachable and stay.
func collect() {
	metrics.Read(allocated)
	if allocated[0].Value.Uint64()-collected < garbageBytesMax {
		return
	}
	runtime.GC()
	metrics.Read(allocated)
	collected = allocated[0].Value.Uint64()
}

func unknownOption(key string, known []string) error {
	return ConfigError{key, fmt.Sprintf("there is no option `%s`; known are: %q", key, known)}
}
