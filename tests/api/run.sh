#!/bin/sh
# The server's tests, schemas at random, and a short load. Usage: tests/api/run.sh CROFT [TEST…], from the root. Clients
# that others wrote are installed into build/api-node, at the versions below, when npm is there and can reach its
# registry; without them their tests are skips.
set -u
CROFT=$1; export CROFT; shift
clients="openai@7.57.0 ai@7.0.173 @ai-sdk/openai@4.0.118"
at=build/api-node
if command -v npm >/dev/null && [ "$(cat $at/installed 2>/dev/null)" != "$clients" ]; then
    mkdir -p $at
    # shellcheck disable=SC2086
    npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix $at $clients >/dev/null 2>&1 &&
        echo "$clients" >$at/installed
fi
API_NODE_MODULES=$(pwd)/$at/node_modules; export API_NODE_MODULES
rc=0
python3 tests/api/api.py "$@" || rc=1
python3 tests/api/edges.py "$@" || rc=1
[ $# -gt 0 ] || python3 tests/api/schemas.py "${SCHEMAS_SECONDS:-10}" || rc=1
[ $# -gt 0 ] || python3 tests/api/load.py 6 || rc=1
exit $rc
