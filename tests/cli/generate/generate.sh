# SPDX-License-Identifier: Apache-2.0
# generate, end to end: made-up scans -> cohort -> two steps of training -> synthetic slices -> a cohort again.
# shellcheck shell=bash
if ! "$SCINTIGEN" import --help >/dev/null 2>&1; then
  echo "skipped: this build has no import (core-only)"
  exit 77
fi
made_up_scans scans 6
works "$SCINTIGEN" import --table scans/slices.tsv --where session=rest --out cohort
small="--generator-widths 16,16,8,8,8 --discriminator-widths 4,8,8,8,8 --decoder-width 8 --excitation-width 8"
# shellcheck disable=SC2086
works "$SCINTIGEN" train fastgan cohort --out run --condition level,pattern $small --steps 2 --threads 2
generate() { "$SCINTIGEN" generate --threads 2 "$@"; }
rows() { echo $(($(wc -l <"$1") - 1)); }
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# Conditions and counts; a set has five files, each saying what it is.
works generate --run run --condition level=cortex,pattern=normal --condition pattern=bilateral,level=basal_ganglia --count 5 --out two
for file in synthetic.nii.gz slices.tsv synthetic.json sheet.png run.json; do
  [ -s "two/$file" ] || fail "no $file"
done
[ "$(rows two/slices.tsv)" = 10 ] || fail "expected 10 rows"
has "images/s" works.err
has '"SyntheticData": true' two/synthetic.json
has 'not for diagnosis' two/synthetic.json
has '"SHA256"' two/synthetic.json
has '"status": "finished"' two/run.json
gzip -dc two/synthetic.nii.gz | head -c 352 | tr -d '\0' | grep -qa SYNTHETIC || fail "the header does not say synthetic"

# The same seed makes the same bytes, another seed others; image k does not depend on the count.
works generate --run run --condition level=cortex,pattern=normal --condition level=basal_ganglia,pattern=bilateral --count 5 --out again
same two/synthetic.nii.gz again/synthetic.nii.gz
works generate --run run --condition level=cortex,pattern=normal --count 3 --seed 2 --out other
works generate --run run --condition level=cortex,pattern=normal --count 3 --out fewer
voxels() { gzip -dc "$1" | tail -c +353 | head -c $((64 * 64 * 4 * 3)); }
voxels two/synthetic.nii.gz >two.raw
voxels fewer/synthetic.nii.gz >fewer.raw
voxels other/synthetic.nii.gz >other.raw
same two.raw fewer.raw
! cmp -s two.raw other.raw || fail "seed 2 made the images of seed 1"

# A table's counts; every trained combination; a path between two latents; one checkpoint; real slices on the sheet.
works generate --run run --like cohort --where level=cortex --out like
[ "$(rows like/slices.tsv)" = "$(grep -c cortex cohort/slices.tsv)" ] || fail "--like made another number of images"
! grep -q sub- like/slices.tsv || fail "a patient's name came along"
works generate --run run --like scans/slices.tsv --out like_table
works generate --run run --all 2 --beside cohort --scale 1000 --out all
[ "$(cut -f 5,6 all/slices.tsv | tail -n +2 | sort | uniq -c | awk '{print $1}' | sort -u)" = 2 ] || fail "--all 2 is not 2 of each"
works generate --run run --condition level=cortex,pattern=normal --interpolate 4 --out path
cut -f 10- path/slices.tsv | tail -n 1 | grep -q '1$' || fail "the path does not end at 1"
works generate --checkpoint "$(ls run/checkpoints/step-*.safetensors | tail -n 1)" --all 1 --out one

# What was written is a cohort's input.
works "$SCINTIGEN" import --table two/slices.tsv --out back
[ "$(rows back/slices.tsv)" = 10 ] || fail "import read back another number of slices"
awk -F '\t' 'NR == 1 {for (i = 1; i <= NF; i++) column[$i] = i} NR > 1 && ($column["below"] != "n/a" || $column["above"] != "n/a") {exit 1}' \
  back/slices.tsv || fail "unrelated slices became neighbours"

# Refusals: one line each, and no folder is left.
refuses "give --run FOLDER or --checkpoint FILE" generate --all 1 --out no
refuses "both --run and --checkpoint" generate --run run --checkpoint x --all 1 --out no
refuses "nowhere: no such folder" generate --run nowhere --all 1 --out no
refuses "holds no checkpoint" generate --run cohort --all 1 --out no
refuses "nothing.safetensors" generate --checkpoint nothing.safetensors --all 1 --out no
good=$(ls run/checkpoints/step-*.safetensors | tail -n 1)
head -c 4000 "$good" >cut.safetensors
refuses "cut.safetensors" generate --checkpoint cut.safetensors --all 1 --out no
sed 's/"fastgan"/"pix2pix"/' "$good" >method.safetensors
refuses 'method "pix2pix"' generate --checkpoint method.safetensors --all 1 --out no
echo '<html>' >page.safetensors
refuses "page.safetensors" generate --checkpoint page.safetensors --all 1 --out no
refuses "what to make?" generate --run run --out no
refuses "exclude one another" generate --run run --all 1 --like cohort --out no
refuses "did you mean pattern" generate --run run --condition level=cortex,patern=normal --out no
refuses "pattern=odd was not in the training data" generate --run run --condition level=cortex,pattern=odd --out no
refuses "no value for pattern" generate --run run --condition level=cortex --out no
refuses "count is out of range" generate --run run --condition level=cortex,pattern=normal --count -1 --out no
refuses "--count goes with --condition; --all says itself how many" generate --run run --all 2 --count 3 --out no
refuses "one NIfTI volume holds at most 32767" generate --run run --all 30000 --out no
refuses "at least 2" generate --run run --all 1 --interpolate 1 --out no
refuses "goes with --condition or --all" generate --run run --like cohort --interpolate 3 --out no
refuses "--where chooses rows of --like" generate --run run --all 1 --where level=cortex --out no
refuses "nothing" generate --run run --like cohort --where level=nothing --out no
refuses "nothing.tsv" generate --run run --like nothing.tsv --out no
printf 'participant_id\tslice\tlevel\nsub-1\t0\tcortex\n' >short.tsv
refuses "pattern" generate --run run --like short.tsv --out no
refuses "exists already" generate --run run --all 1 --out two
refuses "exists already" generate --run run --all 1 --out cut.safetensors
refuses "page.safetensors" generate --run run --all 1 --out page.safetensors/inside
refuses "prepared cohort" generate --run run --all 1 --beside scans --out no
refuses 'is not given' generate --run run --all 1
[ ! -e no ] || fail "a refused command left a folder"
