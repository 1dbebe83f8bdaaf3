// Package export_flumen_plugin_intercept is what the generated exports call: functions that flumen.Register sets, so
// that the author's code can stay in package main.
package export_flumen_plugin_intercept

import (
	columns "flumen/internal/wit/flumen_plugin_columns"
	types "flumen/internal/wit/flumen_plugin_types"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Configure answers the export `configure`.
var Configure = func(types.Options) wit.Result[columns.Needs, types.Error] {
	return wit.Err[columns.Needs](types.MakeErrorFatal("the plugin never called flumen.Register"))
}

// Intercept answers the export `intercept`.
var Intercept = func(columns.Batch) wit.Result[columns.Edits, types.Error] {
	return wit.Err[columns.Edits](types.MakeErrorFatal("the plugin never called flumen.Register"))
}
