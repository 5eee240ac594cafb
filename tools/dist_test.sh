#!/usr/bin/env bash
# Test on several processes: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# NNODES, NODE_RANK, MASTER_ADDR and PORT as for the toolbox's own script. Without a GPU, GPUS counts CPU processes.
set -e
exec "$(dirname "$0")/launch.sh" test.py "$3" "$1" "$2" "${@:4}"
