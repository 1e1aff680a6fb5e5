#!/bin/sh
# The server's tests, and a short load. Usage: tests/api/run.sh CROFT [TEST…], from the root. The official openai client is installed into
# build/api-node, at the version below, when npm is there and can reach its registry; without it that test is a skip.
set -u
CROFT=$1; export CROFT; shift
openai=7.57.0
modules=build/api-node/node_modules
if command -v npm >/dev/null && [ "$(sed -n 's/^  "version": "\(.*\)",$/\1/p' $modules/openai/package.json 2>/dev/null)" != $openai ]; then
    mkdir -p build/api-node
    npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix build/api-node openai@$openai >/dev/null 2>&1
fi
API_NODE_MODULES=$(pwd)/$modules; export API_NODE_MODULES
python3 tests/api/api.py "$@"; rc=$?
[ $# -gt 0 ] || python3 tests/api/load.py 6 || rc=1
exit $rc
