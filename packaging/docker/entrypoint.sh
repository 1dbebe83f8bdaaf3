#!/usr/bin/env bash
# Starts the agent of the image. Understands the variables that images of Apache Flume commonly use:
#
#   FLUME_CONF_FILE   the configuration file (required)
#   FLUME_AGENT_NAME  the agent in it to run (required)
#   FLUME_CONF_DIR    folder given as --conf (optional)
#   FLUME_JAVA_OPTS   its -Dkey=value options are passed on; other JVM options mean nothing here (noted)
#
# Arguments that begin with "-" are added to the agent's command line; any other arguments replace it:
#
#   docker run -e FLUME_CONF_FILE=/conf/a.properties -e FLUME_AGENT_NAME=a1 -v "$PWD/conf:/conf" flumen
#   docker run ... flumen -Dflume.monitoring.type=http
#   docker run flumen flumen check /conf/a.properties
#
# The agent replaces this shell, so it is process 1 and gets `docker stop`'s SIGTERM itself.
set -euo pipefail

agent_binary=${FLUMEN_BINARY:-flumen}

fail() {
  printf 'entrypoint: %s\n' "$*" >&2
  exit 1
}

if [[ $# -gt 0 && $1 != -* ]]; then
  exec "$@"
fi

[[ -n ${FLUME_CONF_FILE:-} ]] ||
  fail "FLUME_CONF_FILE is not set: give the path of a configuration file in the container, for example -e FLUME_CONF_FILE=/conf/a.properties"
[[ -n ${FLUME_AGENT_NAME:-} ]] ||
  fail "FLUME_AGENT_NAME is not set: give the name of the agent in $FLUME_CONF_FILE, for example -e FLUME_AGENT_NAME=a1"
[[ -r $FLUME_CONF_FILE ]] ||
  fail "FLUME_CONF_FILE=$FLUME_CONF_FILE cannot be read by user $(id -u): is the volume mounted there, and readable for all?"

command=("$agent_binary" agent -n "$FLUME_AGENT_NAME" -f "$FLUME_CONF_FILE")
if [[ -n ${FLUME_CONF_DIR:-} ]]; then
  command+=(--conf "$FLUME_CONF_DIR")
fi

# Blank-separated, as Java takes them; values with blanks were never possible there.
read -r -a java_options <<<"${FLUME_JAVA_OPTS:-}"
for option in "${java_options[@]}"; do
  case $option in
    -D*=*) command+=("$option") ;;
    *) printf 'entrypoint: ignored %s of FLUME_JAVA_OPTS: there is no JVM here\n' "$option" >&2 ;;
  esac
done

exec "${command[@]}" "$@"
