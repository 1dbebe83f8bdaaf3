#!/bin/sh
# Builds {{name}}.wasm: Go makes a core module for WASI 0.1, componentize a component of it.
set -eu
cd "$(dirname "$0")"
# The check of linknames is off because the bindings' allocator reaches for runtime.sbrk.
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared "-ldflags=-checklinkname=0 -s -w" -o core.wasm .
node componentize/componentize.mjs core.wasm "{{name}}.wasm" --wit wit --world interceptor
rm core.wasm
