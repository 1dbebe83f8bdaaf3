#!/usr/bin/env bash
# Makes a project of each template, as `flumen plugin new` does, and runs the commands of its README: the claim of the
# templates is that this is all it takes. Prints one line a template; SKIPPED where a language's tool is not there.
#
#   tests/guests/templates.sh [LANGUAGE/KIND…]     (all)
# shellcheck source=tests/guests/languages.sh
source "$(dirname "${BASH_SOURCE[0]}")/languages.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
declare -A needs=([python]=python3 [js]=npm [go]="go npm" [c]="clang wasm-ld make npm")

# make_project TEMPLATE PROJECT NAME
make_project() {
  local source destination
  cp -r "$1" "$2"
  rm "$2/vendor.txt"
  grep -rlF '{{name}}' "$2" | xargs sed -i "s/{{name}}/$3/g"
  while read -r source destination; do cp -r "$root/$source" "$2/$destination"; done < "$1/vendor.txt"
}

# The lines of the first fenced block of a README.
commands() { awk '/^```sh$/ { on = 1; next } /^```$/ { exit } on' "$1"; }

try() {
  local template=$root/guest-examples/templates/$1 tool
  for tool in ${needs[${1%%/*}]}; do
    command -v "$tool" > /dev/null || { echo "SKIPPED $1: there is no $tool"; return 0; }
  done
  if [[ $1 = c/* && -z ${WASI_SDK_PATH:-} && ! -f /usr/lib/wasm32-wasi/libc.a ]]; then
    # The packages of the README, where they lie after tests/guests/c.sh has fetched them.
    local debs=$cache/wasi-libc-debian/usr
    [[ -d $debs ]] || { echo "SKIPPED $1: neither WASI_SDK_PATH nor a wasi-libc"; return 0; }
    export MAKEFLAGS="LIBC=$debs"
  fi
  local project=$work/${1//\//-}
  make_project "$template" "$project" first_plugin
  commands "$project/README.md" > "$project/.commands"
  if (cd "$project" && bash -e .commands) > "$project/.log" 2>&1 && [[ -s $project/first_plugin.wasm ]]; then
    echo "ok $1: $(stat -c %s "$project/first_plugin.wasm") bytes"
  else
    sed 's/^/    /' "$project/.log"
    echo "FAILED $1"
    return 1
  fi
}

if [[ $# -eq 0 ]]; then
  mapfile -t all < <(cd "$root/guest-examples/templates" && ls -d python/* js/* go/* c/*)
  set -- "${all[@]}"
fi
failed=0
for template in "$@"; do try "$template" || failed=1; done
exit "$failed"
