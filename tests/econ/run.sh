#!/bin/sh
# Costs against a second implementation of docs/TCO.md. Usage: tests/econ/run.sh CROFT [SCENARIO…], from the root.
set -u
croft=$1; shift
case $croft in */*) ;; *) croft=./$croft ;; esac
[ -x "$croft" ] || { echo "$croft is missing: run make first" >&2; exit 2; }
python3 -c 'import yaml' 2>/dev/null || { echo "SKIP: python3-yaml is not installed"; exit 0; }
[ $# -gt 0 ] || set -- tests/econ/scenarios/*.yaml
unset CROFT_HOME
exec python3 tests/econ/oracle.py --croft "$croft" "$@"
