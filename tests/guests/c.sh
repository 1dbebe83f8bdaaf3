#!/usr/bin/env bash
# Builds the C guests. The compiler, in this order:
#   1. a wasi-sdk in WASI_SDK_PATH;
#   2. the machine's clang and wasm-ld, with Debian's wasi-libc and compiler runtime: installed, or else downloaded
#      (1 MB) and unpacked into the cache, which needs no root;
# then a component from its module with npm's jco-transpile.
# shellcheck source=tests/guests/languages.sh
source "$(dirname "${BASH_SOURCE[0]}")/languages.sh"

command -v npm > /dev/null || skip c "there is no npm, whose jco-transpile makes components"
once "$componentizer" install_componentizer || skip c "jco-transpile could not be installed from npm"

debs=$cache/wasi-libc-debian
fetch_libc() {
  local major
  major=$(clang -dumpversion | cut -d. -f1)
  (cd "$1" && apt-get download -qq wasi-libc "libclang-rt-$major-dev-wasm32" 2> download.log \
    && for deb in *.deb; do dpkg -x "$deb" . || exit 1; done)
}
# Sets compiler, flags and libs.
find_compiler() {
  if [[ -n ${WASI_SDK_PATH:-} ]]; then
    compiler=$WASI_SDK_PATH/bin/clang
    flags=(--target=wasm32-wasip1 --sysroot="$WASI_SDK_PATH/share/wasi-sysroot")
    libs=()
    return
  fi
  command -v clang > /dev/null || skip c "there is neither WASI_SDK_PATH nor clang"
  command -v wasm-ld > /dev/null || skip c "there is clang, but no wasm-ld (package lld)"
  local usr=/usr builtins
  if [[ ! -f /usr/lib/wasm32-wasi/libc.a ]]; then
    command -v apt-get > /dev/null || skip c "there is no wasi-libc, and no apt-get to get one with; set WASI_SDK_PATH"
    once "$debs" fetch_libc || skip c "wasi-libc could not be downloaded from Debian; set WASI_SDK_PATH"
    usr=$debs/usr
  fi
  builtins=$(find "$usr/lib/" -name 'libclang_rt.builtins-wasm32.a' -o -path '*wasm32*/libclang_rt.builtins.a' 2> /dev/null | head -n 1)
  [[ -n $builtins ]] || skip c "there is no compiler runtime for wasm32 (package libclang-rt-dev-wasm32)"
  compiler=clang
  flags=(--target=wasm32-wasi -isystem "$usr/include/wasm32-wasi")
  libs=(-nodefaultlibs -nostartfiles "$usr/lib/wasm32-wasi/crt1-reactor.o" -L"$usr/lib/wasm32-wasi" -lc "$builtins")
}
find_compiler

"$root/tests/guests/bindings.sh" --check

build() {
  local core
  core=$(mktemp --suffix .wasm)
  "$compiler" "${flags[@]}" -mexec-model=reactor -O2 -msimd128 -Wall -Wextra -Werror -Wno-unused-command-line-argument \
    -I"$sdk/c" -I"$sdk/c/bindings" -o "$core" \
    "$1/plugin.c" "$sdk/c/flumen.c" "$sdk/c/bindings/interceptor.c" "$sdk/c/bindings/interceptor_component_type.o" \
    "${libs[@]}" -Wl,--strip-debug
  componentize "$core" "$2"
  rm -f "$core"
}
each c
