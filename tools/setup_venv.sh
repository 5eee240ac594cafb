#!/usr/bin/env bash
# Make a virtual environment with fcn_plugin and the tested versions: tools/setup_venv.sh EXTRAS
# FCN_PLUGIN_VENV names its directory (default .venv), PYTHON the interpreter. A finished environment is reused.
# FCN_PLUGIN_STACK=openmmlab takes OpenMMLab's own distributions of the toolbox, with PyTorch 2.1; its MMCV is compiled
# (some 15 minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${FCN_PLUGIN_VENV:-.venv}
python=${PYTHON:-python3}
case ${FCN_PLUGIN_STACK:-maintained} in
    maintained) extras=$1 constraints=constraints.txt ;;
    openmmlab) # mmpretrain and timm on this stack are not tested
        extras=${1/toolbox/openmmlab} extras=${extras/,mmpretrain/} extras=${extras/,timm/} constraints=constraints-openmmlab.txt ;;
    *)
        echo "error: FCN_PLUGIN_STACK must be maintained or openmmlab, got '$FCN_PLUGIN_STACK'" >&2
        exit 1 ;;
esac

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "error: Python 3.10 or newer is needed, $python is $("$python" --version 2>&1): set PYTHON" >&2
    exit 1
fi
if [ $constraints = constraints-openmmlab.txt ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    echo "error: OpenMMLab's stack needs PyTorch 2.1, which is there up to Python 3.11; $python is $("$python" --version 2>&1): set PYTHON" >&2
    exit 1
fi
stamp="$venv/.fcn_plugin-$extras"
if [ -f "$stamp" ] && cmp -s <(cat pyproject.toml $constraints) "$stamp"; then
    exit 0
fi
if ! "$python" -m venv "$venv"; then
    echo "error: no virtual environment could be made in $venv; on Debian: apt-get install python3-venv" >&2
    exit 1
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
echo "Installing fcn_plugin[$extras] into $venv ..."
# torch by itself first: nothing that is installed later may exchange it
pip install --quiet "$(grep '^torch==' $constraints)"
if [ $constraints = constraints-openmmlab.txt ]; then
    # MMCV is compiled against this torch, and its build needs pkg_resources of the pinned setuptools
    pip install --quiet --constraint $constraints setuptools wheel ninja psutil
    PATH="$(cd "$venv/bin" && pwd):$PATH" pip install --quiet --constraint $constraints --no-build-isolation mmcv
fi
pip install --quiet --constraint $constraints --editable ".[$extras]"
cat pyproject.toml $constraints >"$stamp"
