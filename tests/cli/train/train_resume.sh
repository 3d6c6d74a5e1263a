# A run that is killed with SIGKILL and resumed ends with the weights of the run that was not, bit for bit; Ctrl-C saves and leaves.
made_up_scans scans 6
works "$SCINTIGEN" import --table scans/slices.tsv --where session=rest --out cohort
train() {
  "$SCINTIGEN" train fastgan cohort --recipe "$SCINTIGEN_SOURCE/recipes/spect-improved.toml" --condition level,pattern \
    --flip-where pattern=normal,bilateral --generator-widths 16,16,8,8,8 --discriminator-widths 4,8,8,8,8 --decoder-width 8 \
    --excitation-width 8 --hold-out 2 --evaluation-images 16 --sample-every 12 --steps 24 --log-every 4 --threads 2 --keep-last 100 "$@"
}

works train --out straight
train --out killed --checkpoint-minutes 0 >/dev/null 2>&1 &
child=$!
until [ -e killed/checkpoints/step-000000005.safetensors ]; do
  kill -0 $child 2>/dev/null || fail "training ended before it could be killed"
  sleep 0.02
done
pkill -KILL -P $child 2>/dev/null || true
kill -KILL $child
wait $child 2>/dev/null || true
[ ! -e killed/checkpoints/step-000000024.safetensors ] || fail "killed too late to test anything"
works train --out killed --resume
last=checkpoints/step-000000024.safetensors
[ "$(tensors straight/$last)" = "$(tensors killed/$last)" ] || fail "the resumed run ended with other weights"
[ "$(cut -d, -f1 straight/metrics.csv)" = "$(cut -d, -f1 killed/metrics.csv)" ] || fail "metrics.csv has other steps"

"$SCINTIGEN" train fastgan cohort --condition level --generator-widths 16,16,8,8,8 --discriminator-widths 4,8,8,8,8 --decoder-width 8 \
  --steps 100000 --log-every 5 --out stopped >/dev/null 2>&1 &
child=$!
until [ -e stopped/metrics.csv ]; do sleep 0.05; done
kill -INT $child
status=0
wait $child || status=$?
[ "$status" = 130 ] || fail "expected exit status 130 after SIGINT, found $status"
ls stopped/checkpoints/step-*.safetensors >/dev/null || fail "no checkpoint after SIGINT"
has '"status": "interrupted"' stopped/run.json
