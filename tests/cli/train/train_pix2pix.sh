# SPDX-License-Identifier: Apache-2.0
# train pix2pix: prepared volumes in, a run folder out; a run that was cut ends with the same weights.
works "$SCINTIGEN" simulate --like epilepsy-spect --participants 2 --spect-iterations 1 --out scans
works "$SCINTIGEN" prepare scans --spacing-mm 4 --matrix 56,64,48 --brain none --keep-head --out prepared
train() {
  "$SCINTIGEN" train pix2pix prepared/native --inputs T1w,pet --target spect --session ses-ictal --side 64 --slices 16 \
    --width 4 --discriminator-width 4 --batch-size 4 --hold-out 1 --threads 1 "$@"
}
works train --steps 6 --sample-every 6 --log-every 2 --out straight
has 'T1w and pet to spect, 16 slices of 1 people to train on' works.err
for file in run.json metrics.csv scores.csv samples/step-000000006.png checkpoints/best.safetensors; do
  [ -s "straight/$file" ] || fail "no straight/$file"
done
has 'ssim' straight/scores.csv
works train --steps 3 --out cut
works train --steps 6 --out cut --resume
newest() { find "$1/checkpoints" -name 'step-*' | sort | tail -n 1; }
[ "$(tensors "$(newest straight)")" = "$(tensors "$(newest cut)")" ] || fail "a resumed run ended with other weights"

# augmented pairs, averaged weights and every slice: the same
more=(--slices 0 --flip --shift-px 2 --rotate-deg 5 --warp-px 1 --gamma-fraction 0.3 --average-decay 0.9 --weight-similarity 1)
train_more() { # without --slices 16
  "$SCINTIGEN" train pix2pix prepared/native --inputs T1w,pet --target spect --session ses-ictal --side 64 \
    --width 4 --discriminator-width 4 --batch-size 4 --hold-out 1 --threads 1 --sample-every 6 "${more[@]}" "$@"
}
works train_more --steps 6 --out straight_more
has '48 slices of 1 people to train on' works.err
has 'ssim' straight_more/scores.csv
works train_more --steps 3 --out cut_more
works train_more --steps 6 --out cut_more --resume
[ "$(tensors "$(newest straight_more)")" = "$(tensors "$(newest cut_more)")" ] || fail "a resumed run with averaged weights ended with other weights"
grep -qa 'average.model' "$(newest straight_more)" || fail "no averaged weights in the checkpoint"

refuses 'expected a power of two from 32' "$SCINTIGEN" train pix2pix prepared/native --side 60 --out other
refuses 'no flair of' "$SCINTIGEN" train pix2pix prepared/native --inputs flair --session ses-ictal --side 64 --slices 16 --hold-out 1 --out other
refuses '--held-out sub-9: not in' train --held-out sub-9 --steps 1 --out other
refuses 'no volumes.json; expected a folder that' "$SCINTIGEN" train pix2pix scans --out other
[ ! -e other ] || fail "a refused run left a folder"
