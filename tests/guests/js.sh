#!/usr/bin/env bash
# Builds the JavaScript guests: componentize-qjs from npm (38 MB), which carries QuickJS.
# shellcheck source=tests/guests/languages.sh
source "$(dirname "${BASH_SOURCE[0]}")/languages.sh"

version=0.4.5
tools=$cache/componentize-qjs-$version

command -v npm > /dev/null || skip js "there is no npm"
install_js() { npm install --prefix "$1" --no-audit --no-fund --silent "componentize-qjs@$version"; }
once "$tools" install_js || skip js "componentize-qjs $version could not be installed from npm"

build() {
  # The module root is the repository, so that a guest can import the SDK by a relative path.
  (cd "$root" && "$tools/node_modules/.bin/componentize-qjs" --wit "$wit" --world interceptor --sync \
    --module-root "$root" --js "${1#"$root"/}/plugin.js" --output "$2")
}
each js
