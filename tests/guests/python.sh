#!/usr/bin/env bash
# Builds the Python guests: componentize-py from PyPI (72 MB), in a virtual environment of its own.
# shellcheck source=tests/guests/languages.sh
source "$(dirname "${BASH_SOURCE[0]}")/languages.sh"

version=0.25.1
guests+=(tsv)
tools=$cache/componentize-py-$version

command -v python3 > /dev/null || skip python "there is no python3"
install_python() { python3 -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$version"; }
once "$tools" install_python || skip python "componentize-py $version could not be installed from PyPI"

build() {
  local world=interceptor
  if [[ $1 = */tsv ]]; then world=serializer; fi
  (cd "$1" && "$tools/bin/componentize-py" -d "$wit" -w "$world" componentize flumen_app -p "$sdk/python" -p . -o "$2")
}
each python
