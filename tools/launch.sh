#!/usr/bin/env bash
# Start a tool on several processes: tools/launch.sh TOOL PROCESSES ARGUMENTS... (called by dist_train.sh, dist_test.sh)
set -e
if ! [[ "$2" =~ ^[1-9][0-9]*$ ]]; then
    echo "error: the number of processes must be a positive integer, got '$2'" >&2
    exit 2
fi
exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$(dirname "$0")/$1" "${@:3}" --launcher pytorch
