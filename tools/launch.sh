#!/usr/bin/env bash
# Start a tool on several processes: tools/launch.sh TOOL PROCESSES ARGUMENTS... (called by dist_train.sh, dist_test.sh)
set -e
if ! [[ "$2" =~ ^[1-9][0-9]*$ ]]; then
    echo "error: the number of processes must be a positive integer, got '$2'" >&2
    exit 2
fi
# torchrun, with the exit code of its processes (143 and 130 for signals), and without a traceback of its own: they have
# said what was wrong
RUN='
import sys
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main
try:
    main()
except SignalException as error:
    sys.exit(128 + error.sigval)
except ChildFailedError as error:
    rank, failure = error.get_first_failure()
    if failure.exitcode != 1:
        print(f"error: process {rank} ended with exit code {failure.exitcode}", file=sys.stderr)
    sys.exit(failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode)
'
exec python -c "$RUN" \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$2" \
    "$(dirname "$0")/$1" "${@:3}" --launcher pytorch
