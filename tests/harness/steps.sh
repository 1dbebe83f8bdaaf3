# shellcheck shell=bash
# Steps of a test run: each is a function or command, timed, its results counted. Sourced by tests/run and .ci/run.
#
# A step whose last line is `N passed, N failed[, N skipped]` stands for that many results; else cargo's
# `test result:` lines are added up; a step that prints neither counts as one result by its exit status. A line
# that begins with SKIP is one skipped result. A step that fails without a failed result (it did not compile, it
# was killed) counts as one failure.

passed=0
failed=0
skipped=0
failed_steps=()
failures=''

say() { printf '\n== %s\n' "$*"; }

# step NAME COMMAND...
step() {
  local name=$1 log status=0 started=$SECONDS counts
  shift
  say "$name"
  log=$(mktemp)
  # The step must not run under `if` or `||`, which would switch off `set -e` inside its functions.
  set +e
  (set -e; "$@") 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  read -r -a counts < <(count_results "$status" <"$log")
  if [[ ${counts[1]} -gt 0 ]]; then failures+=$(what_failed "$name" <"$log")$'\n'; fi
  rm -f "$log"
  passed=$((passed + counts[0]))
  failed=$((failed + counts[1]))
  skipped=$((skipped + counts[2]))
  if [[ ${counts[1]} -gt 0 ]]; then failed_steps+=("$name"); fi
  printf -- '-- %s: %d s, %d passed, %d failed, %d skipped\n' "$name" $((SECONDS - started)) "${counts[@]}"
}

# Reads a step's output; prints passed, failed, skipped.
count_results() {
  awk -v status="$1" '
    NF { last = $0 }
    /^test result: / { found = 1; p += $4; f += $6; s += $8 }
    /^SKIP / { found = 1; s += 1 }
    END {
      if (last ~ /^[0-9]+ passed, [0-9]+ failed(, [0-9]+ (skipped|waiting))?$/) {
        split(last, word, " ")
        found = 1; p = word[1]; f = word[3]; s = last ~ /skipped/ ? word[5] : 0
      }
      if (!found && status == 0) p = 1
      if (status != 0 && f == 0) f = 1
      print p + 0, f + 0, s + 0
    }'
}

# what_failed NAME: of a step's output, the lines that say what failed and why, with the two lines that follow a
# panic; at most 60.
what_failed() {
  awk -v step="$1" '
    / panicked at / { more = 3 }
    /^(test .* FAILED$|FAIL|ERROR|error|fatal)/ && more == 0 { more = 1 }
    more > 0 && told < 60 { told++; print step ": " $0 }
    more > 0 { more-- }'
}

# The last lines of a run, and its exit status: what failed, told once more, then the counts; `summary plain` names
# passed and failed only, `summary full` skipped ones too.
summary() {
  if [[ -n $failures ]]; then printf '\n%s' "$failures"; fi
  if [[ ${#failed_steps[@]} -gt 0 ]]; then say "failed: ${failed_steps[*]}"; fi
  printf '\n'
  if [[ $1 == full && $skipped -gt 0 ]]; then
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  else
    printf '%d passed, %d failed\n' "$passed" "$failed"
  fi
  [[ $failed -eq 0 ]]
}

# Runs a command of the outer machine's package manager; only root can.
# install_packages PACKAGE...
install_packages() {
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "SKIP install: not root (or no apt-get); please install: $*"
    return 0
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "$@"
}

# cargo_tool NAME: a cargo subcommand from crates.io, kept outside the repository. It is run for seconds and
# compiled for a minute, so it is built without optimisation.
cargo_tool() {
  local tools=${XDG_CACHE_HOME:-$HOME/.cache}/flumen/tools
  export PATH=$tools/bin:$PATH
  if command -v "$1" >/dev/null; then return 0; fi
  CARGO_TARGET_DIR=$tools/build cargo install "$1" --locked --quiet --root "$tools" --profile dev \
    --config profile.dev.debug=false --config profile.dev.incremental=false
  rm -rf "$tools/build"
}
