#!/usr/bin/env bash
# Set up an environment, train FCN-32s, 16s and 8s on drawn shapes and compare them:
# tools/run_demo.sh [options of tools/demo.py]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export FCN_PLUGIN_VENV=${FCN_PLUGIN_VENV:-.venv${FCN_PLUGIN_STACK:+-$FCN_PLUGIN_STACK}}
"$here/setup_venv.sh" toolbox
venv=$(cd "$here/.." && cd "$FCN_PLUGIN_VENV" && pwd)
exec "$venv/bin/python" "$here/demo.py" "$@"
