#!/usr/bin/env bash
# The generated bindings of Go and C, which are checked in because their generator takes minutes to install.
#
#   tests/guests/bindings.sh --check   whether they are of the WIT as it is: by its sum, and, where wit-bindgen is in
#                                      the cache, by generating them again and comparing. Part of go.sh and c.sh.
#   tests/guests/bindings.sh           installs wit-bindgen (5 minutes) and generates them anew
# shellcheck source=tests/guests/languages.sh
source "$(dirname "${BASH_SOURCE[0]}")/languages.sh"

version=0.61.1
tool=$cache/wit-bindgen-$version/bin/wit-bindgen
sums=$sdk/bindings.sha256

sum() { (cd "$wit" && sha256sum ./*.wit); }

# generate FOLDER: c/ and go/ as they should be in the SDKs.
generate() {
  mkdir -p "$1/c" "$1/go"
  (cd "$1/c" && "$tool" c --world interceptor "$wit")
  (cd "$1/go" && "$tool" go --world interceptor --pkg-name flumen/internal/wit "$wit")
  rm -f "$1/go/go.mod"
}

install_wit_bindgen() {
  cargo install --quiet --locked "wit-bindgen-cli@$version" --no-default-features --features c,go --root "$1"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ ${1:-} = --check ]]; then
  if ! diff -u "$sums" <(sum); then
    echo "the bindings of Go and C are of another WIT: run tests/guests/bindings.sh" >&2
    exit 1
  fi
  if [[ -x $tool ]]; then
    generate "$work" > /dev/null
    diff -r "$work/c" "$sdk/c/bindings"
    # exports.go is ours: what the generated exports call.
    diff -r --exclude export_flumen_plugin_intercept "$work/go" "$sdk/go/internal/wit"
    echo "the bindings are what wit-bindgen $version makes"
  fi
  exit 0
fi
once "$cache/wit-bindgen-$version" install_wit_bindgen
generate "$work"
cp "$work/c/"* "$sdk/c/bindings/"
cp -r "$work/go/"* "$sdk/go/internal/wit/"
sum > "$sums"
