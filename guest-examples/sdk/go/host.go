package flumen

import (
	"errors"
	"fmt"

	clock "flumen/internal/wit/flumen_plugin_clock"
	log "flumen/internal/wit/flumen_plugin_log"
	numbers "flumen/internal/wit/flumen_plugin_metrics"
	store "flumen/internal/wit/flumen_plugin_state"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Pair is a field of a log line, or a label of a metric.
type Pair = wit.Tuple2[string, string]

// Field makes a Pair.
func Field(name string, value any) Pair { return Pair{F0: name, F1: fmt.Sprint(value)} }

func line(level log.Level, message string, fields []Pair) {
	if log.Enabled(level) {
		log.Write(level, message, fields)
	}
}

// Debug writes a line into the agent's log. A level that is off costs one call.
func Debug(message string, fields ...Pair) { line(log.LevelDebug, message, fields) }

// Info writes a line into the agent's log.
func Info(message string, fields ...Pair) { line(log.LevelInfo, message, fields) }

// Warn writes a line into the agent's log.
func Warn(message string, fields ...Pair) { line(log.LevelWarn, message, fields) }

// Error writes a line into the agent's log.
func Error(message string, fields ...Pair) { line(log.LevelError, message, fields) }

// NewCounter makes a number that only ever rises: once, while configuring. It has Add(uint64).
func NewCounter(name string, labels ...Pair) *numbers.Counter {
	return numbers.MakeCounter(name, labels)
}

// NewGauge makes a number that is whatever was set last: once, while configuring. It has Set(float64).
func NewGauge(name string, labels ...Pair) *numbers.Gauge { return numbers.MakeGauge(name, labels) }

// What State answers when the host could not do it.
var (
	ErrStateTooLarge = errors.New("state: the key or the value is over its size")
	ErrStateFull     = errors.New("state: the store is full")
	ErrStateIO       = errors.New("state: the disk failed, see the agent's log")
)

var stateErrors = map[store.StateError]error{
	store.StateErrorTooLarge: ErrStateTooLarge,
	store.StateErrorFull:     ErrStateFull,
	store.StateErrorIo:       ErrStateIO,
}

func stored[T any](result wit.Result[T, store.StateError]) (value T, err error) {
	if result.IsErr() {
		return value, stateErrors[result.Err()]
	}
	return result.Ok(), nil
}

// StateGet answers a value of the plugin's own small store; nil when there is none.
func StateGet(key string) ([]byte, error) {
	value, err := stored(store.Get(key))
	if err != nil || value.IsNone() {
		return nil, err
	}
	return value.Some(), nil
}

// StateSet keeps a value.
func StateSet(key string, value []byte) error {
	_, err := stored(store.Set(key, value))
	return err
}

// StateDelete forgets a value.
func StateDelete(key string) error {
	_, err := stored(store.Delete(key))
	return err
}

// StateKeys answers the keys that begin with prefix, ascending, from the first behind after on ("": all), at most most.
func StateKeys(prefix, after string, most uint32) ([]string, error) {
	behind := wit.None[string]()
	if after != "" {
		behind = wit.Some(after)
	}
	return stored(store.Keys(prefix, behind, most))
}

// MonotonicNanos answers nanoseconds from an arbitrary start; it never goes back.
func MonotonicNanos() uint64 { return clock.MonotonicNanos() }

// WallMillis answers milliseconds since 1970; false without `grants.clock = wall`.
func WallMillis() (uint64, bool) {
	millis := clock.WallMillis()
	return millis.SomeOr(0), millis.IsSome()
}
