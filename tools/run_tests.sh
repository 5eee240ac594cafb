#!/usr/bin/env bash
# Set up an environment, then check the style and run the tests: tools/run_tests.sh [options of pytest], such as -m "not slow"
# FCN_PLUGIN_STACK=openmmlab tests on OpenMMLab's own distributions of the toolbox (see setup_venv.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
# apart from the demo's: the toolbox imports a torchvision that is there, and one that does not fit torch stops it
suffix=${FCN_PLUGIN_STACK:+-$FCN_PLUGIN_STACK}
export FCN_PLUGIN_VENV=${FCN_PLUGIN_VENV:-.venv-test$suffix}
tools/setup_venv.sh toolbox,mmpretrain,timm,test
bin=$(cd "$FCN_PLUGIN_VENV/bin" && pwd)
# the peer of the parity tests; its own dependencies (for training and downloads) are not needed
"$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$(grep '^torchfcn==' constraints.txt)"
export PATH="$bin:$PATH"
ruff check .
ruff format --check .
exec python -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"  # two processes, each with whole files, in order
