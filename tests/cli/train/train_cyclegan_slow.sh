# SPDX-License-Identifier: Apache-2.0
# train cyclegan: prepared volumes in, a run folder out, of triplets and of cubes; a run that was cut ends with the same weights.
# Other methods and the recipes: translate/translate_cyclegan_slow.sh.
works "$SCINTIGEN" simulate --like epilepsy-spect --participants 2 --spect-iterations 1 --out scans
works "$SCINTIGEN" prepare scans --modalities T1w,pet --spacing-mm 6 --matrix 32,40,32 --brain none --keep-head --out prepared
train() {
  "$SCINTIGEN" train cyclegan prepared/native --width 4 --blocks 1 --discriminator-width 4 \
    --batch-size 2 --pool 3 --hold-out 1 --threads 1 "$@"
}
newest() { find "$1/checkpoints" -name 'step-*' | sort | tail -n 1; }
for pieces in triplets patches; do
  padding=reflect
  [ $pieces = triplets ] || padding=replicate
  train_pieces() { train --side 40 --pieces "$pieces" --padding "$padding" --weight-mse 10 --patch-stride 16 "$@"; }
  works train_pieces --steps 4 --sample-every 4 --log-every 2 --out straight_$pieces
  has "$pieces of 1 and 1 people to train on, 1 people held out" works.err
  for file in run.json metrics.csv scores.csv samples/step-000000004.png checkpoints/best.safetensors; do
    [ -s "straight_$pieces/$file" ] || fail "no straight_$pieces/$file"
  done
  has 'loader_share' straight_$pieces/metrics.csv
  has 'ssim_tissue_regression' straight_$pieces/scores.csv
  works train_pieces --steps 2 --out cut_$pieces
  works train_pieces --steps 4 --out cut_$pieces --resume --loader-threads 3
  [ "$(tensors "$(newest straight_$pieces)")" = "$(tensors "$(newest cut_$pieces)")" ] ||
    fail "a resumed run of $pieces ended with other weights"
done

refuses 'a Cycle-GAN goes from one modality to another' train --inputs T1w,pet --steps 1 --out other
refuses '--weight-mse compares pairs' train --unpaired --weight-mse 1 --steps 1 --out other
refuses '--side 58: expected a multiple of 4' train --side 58 --steps 1 --out other
refuses 'give --scale volume' train --scale slice --steps 1 --out other
refuses 'no volumes.json; expected a folder that' "$SCINTIGEN" train cyclegan scans --out other
refuses 'no volumes.json; expected a folder that' train --target-cohort scans --steps 1 --out other
[ ! -e other ] || fail "a refused run left a folder"
