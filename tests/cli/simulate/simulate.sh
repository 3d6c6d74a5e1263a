# SPDX-License-Identifier: Apache-2.0
# `simulate`: the same files for any number of threads and after a kill, a cohort that `import` takes, refusals.
small="--participants 3 --spect-iterations 1"
# shellcheck disable=SC2086
works "$SCINTIGEN" simulate --out one --threads 1 $small
# shellcheck disable=SC2086
works "$SCINTIGEN" simulate --out two --threads 2 $small
differences=$(diff -rq one two | grep -v -e run.json -e simulate.log || true)
[ -z "$differences" ] || fail "1 and 2 threads differ: $differences"
for file in participants.tsv slices.tsv dataset_description.json derivatives/truth/design.json \
  sub-002/ses-rest/spect/sub-002_ses-rest_spect.nii.gz sub-002/ses-stress/spect/sub-002_ses-stress_spect.json \
  derivatives/truth/sub-002/truth.json derivatives/truth/sub-002/sub-002_warp.nii.gz; do
  [ -s "one/$file" ] || fail "no $file"
done
[ "$(wc -l <one/slices.tsv)" = 19 ] || fail "expected 3 people x 2 scans x 3 levels and a header"

# Killed, then begun again: the same files.
# shellcheck disable=SC2086
"$SCINTIGEN" simulate --out killed --threads 1 $small >/dev/null 2>&1 &
process=$!
for _ in $(seq 200); do
  [ ! -e killed/derivatives/truth/sub-001/truth.json ] || break
  sleep 0.05
done
kill -9 $process 2>/dev/null || true
wait $process 2>/dev/null || true
[ -e killed/derivatives/truth/sub-001/truth.json ] || fail "killed before the first person was there"
[ ! -e killed/participants.tsv ] || fail "ended before it could be killed"
# shellcheck disable=SC2086
works "$SCINTIGEN" simulate --out killed $small
differences=$(diff -rq one killed | grep -v -e run.json -e simulate.log || true)
[ -z "$differences" ] || fail "killed and straight differ: $differences"

works "$SCINTIGEN" import --table one/slices.tsv \
  --volumes '{participant_id}/ses-{session}/spect/{participant_id}_ses-{session}_spect.nii.gz' --out cohort
has '"pixel_mm": 4' cohort/cohort.json

# shellcheck disable=SC2086
refuses 'begun with seed = 1, now 2' "$SCINTIGEN" simulate --out one --seed 2 $small
mkdir other && touch other/file
sed -i 's/"age"/"agee"/' killed/derivatives/truth/sub-002/truth.json
status=0
# shellcheck disable=SC2086
"$SCINTIGEN" simulate --out killed $small 2>edited.err || status=$?
[ "$status" = 2 ] || fail "an edited truth.json: expected exit status 2, found $status"
has 'sub-002/truth.json: not what simulate wrote; remove it and run simulate again' edited.err
refuses 'holds files that simulate did not write' "$SCINTIGEN" simulate --out other
refuses "table1 is Werner 2022's 250 people" "$SCINTIGEN" simulate --out new --like table1 --participants 9
refuses 'subsets is out of range; expected at most 45' "$SCINTIGEN" simulate --out new --spect-subsets 46
refuses 'expected at most 8000000 voxels' "$SCINTIGEN" simulate --out new --spect-matrix 256 --spect-slices 256
refuses 'expected less than 31 mm' "$SCINTIGEN" simulate --out new --slices-per-level 9
refuses '--like' "$SCINTIGEN" simulate --out new --like table2
refuses '--tracer' "$SCINTIGEN" simulate --out new --tracer FDG
refuses '--spect-views' "$SCINTIGEN" simulate --out new --spect-views 0
refuses 'nowhere.nii' "$SCINTIGEN" simulate --out new --template-head nowhere.nii
[ ! -e new ] || fail "a refused simulation left a folder"
