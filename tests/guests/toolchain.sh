# Sourced. Finds or makes a Rust toolchain that builds components (target wasm32-wasip2).
#
#   guest_toolchain CACHE      sets GUEST_TOOLCHAIN (rustup or debian), and for debian RUSTC, PATH, LD_LIBRARY_PATH
#
# Order: the installed target; `rustup target add`, for 60 s at most (GUEST_RUSTUP_SECONDS); Debian's rustc-web, unpacked
# below CACHE, its std built once from rust-web-src. Debian has no std for wasm32-wasip2, but all that it takes: the
# source, a linker that wraps components, and a C library whose start files serve both targets.
# GUEST_TOOLCHAIN=debian in the environment skips the first two.

guest_target=wasm32-wasip2

guest_toolchain() {
  local cache=$1
  if [[ ${GUEST_TOOLCHAIN:-} != debian ]]; then
    if rustup_has_target || add_rustup_target; then
      GUEST_TOOLCHAIN=rustup
      return 0
    fi
    echo "rustup gives no $guest_target here: using Debian's packages" >&2
  fi
  mkdir -p "$cache"
  cache=$(cd "$cache" && pwd)
  unpack_debian "$cache" && debian_env "$cache" && install_std "$cache" || return 1
  GUEST_TOOLCHAIN=debian
}

rustup_has_target() {
  local sysroot
  sysroot=$(rustc --print sysroot 2>/dev/null) || return 1
  compgen -G "$sysroot/lib/rustlib/$guest_target/lib/libstd-*.rlib" >/dev/null
}

add_rustup_target() {
  command -v rustup >/dev/null || return 1
  timeout "${GUEST_RUSTUP_SECONDS:-60}" rustup target add "$guest_target" >&2 && rustup_has_target
}

# The packages, unpacked and not installed: they must not become the machine's compiler.
unpack_debian() {
  local cache=$1 std llvm deb
  [[ -f $cache/llvm ]] && return 0
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    echo "there is neither a rustup with $guest_target nor apt: run \`rustup target add $guest_target\`" >&2
    return 1
  fi
  apt-get update -qq >/dev/null 2>&1 || true
  std=$(apt-cache depends libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -n1)
  llvm=$(apt-cache depends "${std:-none}" 2>/dev/null | sed -n 's/.*Depends: libllvm\([0-9]*\)$/\1/p' | head -n1)
  if [[ -z $std || -z $llvm ]]; then
    echo "this Debian has no rustc-web with its libraries: run \`rustup target add $guest_target\`" >&2
    return 1
  fi
  mkdir -p "$cache/debs" "$cache/root"
  (cd "$cache/debs" && apt-get download -qq rustc-web rust-web-src rust-web-llvm libstd-rust-web-dev "$std" \
    "libllvm$llvm" "lld-$llvm" wasi-libc >/dev/null) || return 1
  for deb in "$cache"/debs/*.deb; do dpkg -x "$deb" "$cache/root" || return 1; done
  rm -rf "$cache/debs"
  echo "$llvm" >"$cache/llvm"
}

debian_env() {
  local cache=$1 llvm name
  llvm=$(<"$cache/llvm")
  mkdir -p "$cache/bin"
  for name in rust-lld wasm-ld; do ln -sf "../root/usr/lib/llvm-$llvm/bin/lld" "$cache/bin/$name"; done
  export RUSTC=$cache/root/usr/bin/rustc
  export LD_LIBRARY_PATH=$cache/root/usr/lib/x86_64-linux-gnu PATH=$cache/bin:$PATH
  if ! "$RUSTC" --version >/dev/null 2>&1 || ! wasm-ld --version >/dev/null 2>&1; then
    # The compiler and the linker need small libraries of the system (libz3, libedit, libxml2).
    apt-get install -y -qq --no-install-recommends "libllvm$llvm" >/dev/null || return 1
  fi
}

# std for the target, built once and laid into the unpacked sysroot, so that guests build as with rustup's.
install_std() {
  local cache=$1 seed=$1/seed lib=$1/root/usr/lib/rustlib/$guest_target/lib rlib
  [[ -f $cache/std ]] && return 0
  mkdir -p "$lib/self-contained" "$seed/src"
  cp "$cache"/root/usr/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$lib/self-contained/" || return 1
  : >"$seed/src/lib.rs"
  printf '[package]\nname = "seed"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[profile.release]\npanic = "abort"\n' \
    >"$seed/Cargo.toml"
  # With bitcode, because guests are linked with LTO.
  (cd "$seed" && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
    cargo build -q --release -Zbuild-std=std,panic_abort --target "$guest_target" --target-dir target) || return 1
  for rlib in "$seed/target/$guest_target"/release/deps/*.rlib; do
    if [[ $rlib != */libseed* ]]; then cp "$rlib" "$lib/" || return 1; fi
  done
  rm -rf "$seed"
  : >"$cache/std"
}
