#!/usr/bin/env bash
# Train on several processes: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# NNODES, NODE_RANK, MASTER_ADDR and PORT as for the toolbox's own script. Without a GPU, GPUS counts CPU processes.
set -e
exec "$(dirname "$0")/launch.sh" train.py "$2" "$1" "${@:3}"
