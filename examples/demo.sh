#!/usr/bin/env bash
# The main job on real input: two networks, on two local agents that differ and never run at the same time.
#   examples/demo.sh BIN_DIR STATE_DIR
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1 state=$2
controller() { "$bin/controller" --state "$state" "$@"; }

"$bin/python" examples/digits/train.py examples/digits/trained
"$bin/python" examples/ocr/fetch.py examples/ocr/fetched
ids=$(controller submit examples/digits/job.yaml examples/ocr/job.yaml --local-threads 1,2)
read -r digits ocr <<<"$(echo $ids)"
for id in "$digits" "$ocr"; do
  controller job watch "$id"
done

printf '\n%s\n' "Which precision, on each device? (fp32 at batch 1 is 1.000)"
controller compare "$digits" --by variant --baseline onnxruntime-fp32-b1-cpu
printf '\n%s\n' "What does a second thread buy? (local-1 has one, local-2 has two)"
controller compare "$digits" "$ocr" --by device --baseline local-1 --across cpu_count

cat <<NEXT

Next:
  $bin/controller --state $state results $digits          # latency with its interval, accuracy beside it, verdicts
  $bin/controller --state $state query "select * from v_results"
  $bin/controller --state $state job logs $digits
  $bin/controller serve                                  # for a fleet; then controller enroll new, for each board
Your own model: start from examples/onnx/job.yaml (an ONNX file) or examples/digits/job.yaml (PyTorch).
NEXT
