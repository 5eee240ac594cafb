#!/usr/bin/env bash
# Make a virtual environment with fcn_plugin and the tested versions: tools/setup_venv.sh EXTRAS
# FCN_PLUGIN_VENV names its directory (default .venv), PYTHON the interpreter. A finished environment is reused.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=$1
venv=${FCN_PLUGIN_VENV:-.venv}
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "error: Python 3.10 or newer is needed, $python is $("$python" --version 2>&1): set PYTHON" >&2
    exit 1
fi
stamp="$venv/.fcn_plugin-$extras"
if [ -f "$stamp" ] && cmp -s <(cat pyproject.toml constraints.txt) "$stamp"; then
    exit 0
fi
if ! "$python" -m venv "$venv"; then
    echo "error: no virtual environment could be made in $venv; on Debian: apt-get install python3-venv" >&2
    exit 1
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
echo "Installing fcn_plugin[$extras] into $venv ..."
# torch by itself first: nothing that is installed later may exchange it
pip install --quiet "$(grep '^torch==' constraints.txt)"
pip install --quiet --constraint constraints.txt --editable ".[$extras]"
cat pyproject.toml constraints.txt >"$stamp"
