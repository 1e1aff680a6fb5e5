#!/bin/sh
# The server's tests, schemas at random, and short loads. Usage: tests/api/run.sh CROFT [TEST…], from the root. Clients
# that others wrote are installed into build/api-node and build/api-python, at the versions below, when npm and pip are
# there and can reach their registries; without them their tests are skips.
set -u
CROFT=$1; export CROFT; shift
mkdir -p build
exec 9>build/api-clients.lock
flock 9 # another run of these tests, of another build
clients="openai@7.57.0 ai@7.0.173 @ai-sdk/openai@4.0.118"
at=build/api-node
if command -v npm >/dev/null && [ "$(cat $at/installed 2>/dev/null)" != "$clients" ]; then
    mkdir -p $at
    # shellcheck disable=SC2086
    npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix $at $clients >/dev/null 2>&1 &&
        echo "$clients" >$at/installed
fi
client="system-one[http]==0.4.0"
at_python=build/api-python
if python3 -m pip --version >/dev/null 2>&1 && [ "$(cat $at_python/installed 2>/dev/null)" != "$client" ]; then
    mkdir -p $at_python
    python3 -m pip install --quiet --upgrade --target $at_python "$client" >/dev/null 2>&1 &&
        echo "$client" >$at_python/installed
fi
exec 9>&-
PYTHONPATH=$(pwd)/$at_python${PYTHONPATH:+:$PYTHONPATH}; export PYTHONPATH
API_NODE_MODULES=$(pwd)/$at/node_modules; export API_NODE_MODULES
rc=0
python3 tests/api/api.py "$@" || rc=1
python3 tests/api/edges.py "$@" || rc=1
python3 tests/api/clients.py "$@" || rc=1
python3 tests/api/routing.py "$@" || rc=1
[ $# -gt 0 ] || python3 tests/api/schemas.py "${SCHEMAS_SECONDS:-10}" || rc=1
[ $# -gt 0 ] || python3 tests/api/load.py 6 || rc=1
[ $# -gt 0 ] || python3 tests/api/chaos_serve.py 10 || rc=1
exit $rc
