# Sourced by python.sh, js.sh, go.sh and c.sh: where tools are kept, where guests go, and what is said when not.
#
#   OUT            where NAME.wasm goes            (default: target/guests)
#   FLUMEN_CACHE   where the tools are installed   (default: ~/.cache/flumen)
#
# A guest that cannot be built leaves NAME.skipped with the reason beside where it would be: the tests read it, and say
# SKIPPED. A guest that is newer than all it is made of is not built again.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${FLUMEN_CACHE:-$HOME/.cache/flumen}
out=${OUT:-$root/target/guests}
mkdir -p "$cache" "$out"
out=$(cd "$out" && pwd)
sdk=$root/guest-examples/sdk
wit=$root/wit/0.1.0
# The guests of a language; python.sh has one more.
guests=(mask_digits static_header ops)

# skip LANGUAGE REASON: says why, for people and for the tests, and ends well: a missing tool is no failure.
skip() {
  echo "SKIPPED $1 guests: $2" >&2
  local name
  for name in "${guests[@]}"; do
    rm -f "$out/${name}_$1.wasm"
    echo "$2" > "$out/${name}_$1.skipped"
  done
  exit 0
}

# fresh FILE SOURCE…: whether FILE is newer than everything in the sources.
fresh() {
  local file=$1
  shift
  [[ -f $file && -z $(find "$@" -newer "$file" -type f -not -path '*/node_modules/*' -print -quit) ]]
}

# once FOLDER COMMAND…: runs the command, with the folder as its last argument, unless it went well before. One at a
# time, so that two test runs do not install into each other.
once() {
  local folder=$1
  shift
  (
    flock 9
    [[ -f $folder/.done ]] || { rm -rf "$folder" && mkdir -p "$folder" && "$@" "$folder" && touch "$folder/.done"; }
  ) 9> "$cache/.lock"
}

# each LANGUAGE: calls `build FOLDER OUT` for every guest of the language, when what it is made of has changed.
each() {
  local name folder
  for name in "${guests[@]}"; do
    folder=$root/guest-examples/$1/$name
    if [[ $name = ops ]]; then folder=$root/tests/guests/ops/$1; fi
    rm -f "$out/${name}_$1.skipped"
    if fresh "$out/${name}_$1.wasm" "$folder" "$sdk/$1" "$sdk/componentize" "$wit" "${BASH_SOURCE[0]}"; then continue; fi
    build "$folder" "$out/.${name}_$1.wasm"
    mv "$out/.${name}_$1.wasm" "$out/${name}_$1.wasm"
    echo "built $out/${name}_$1.wasm"
  done
}

# What makes components of the core modules of Go and C.
componentizer=$cache/jco-transpile-0.15.0
install_componentizer() {
  cp "$sdk/componentize/"* "$1/" &&
    npm install --prefix "$1" --ignore-scripts --no-audit --no-fund --silent
}
componentize() { node "$componentizer/componentize.mjs" "$@"; }
