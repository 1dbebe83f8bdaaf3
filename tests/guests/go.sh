#!/usr/bin/env bash
# Builds the Go guests: the go command (1.25 or newer), then a component from its module with npm's jco-transpile.
# shellcheck source=tests/guests/languages.sh
source "$(dirname "${BASH_SOURCE[0]}")/languages.sh"

command -v go > /dev/null || skip go "there is no go"
# A toolchain of the version that go.mod asks for is fetched by go itself, where it may.
go -C "$sdk/go" version > /dev/null 2>&1 || skip go "this go is older than 1.25 and could not fetch a newer one"
command -v npm > /dev/null || skip go "there is no npm, whose jco-transpile makes components"
once "$componentizer" install_componentizer || skip go "jco-transpile could not be installed from npm"
go -C "$root/guest-examples/go/mask_digits" mod download || skip go "the Go module proxy could not be reached"

"$root/tests/guests/bindings.sh" --check

build() {
  local core
  core=$(mktemp --suffix .wasm)
  # The check of linknames is off because the bindings' allocator reaches for runtime.sbrk.
  (cd "$1" && GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared "-ldflags=-checklinkname=0 -s -w" -o "$core" .)
  componentize "$core" "$2" --wit "$wit" --world interceptor
  rm -f "$core"
}
each go
