# SPDX-License-Identifier: Apache-2.0
# evaluate, end to end: a cohort against the images of a run, and every refusal.
# shellcheck shell=bash
if ! "$SCINTIGEN" import --help >/dev/null 2>&1; then
  echo "skipped: this build has no import (core-only)"
  exit 77
fi
made_up_scans scans 12
works "$SCINTIGEN" import --table scans/slices.tsv --out cohort
small="--generator-widths 16,16,8,8,8 --discriminator-widths 4,8,8,8,8 --decoder-width 8 --excitation-width 8"
# shellcheck disable=SC2086
works "$SCINTIGEN" train fastgan cohort --out run --condition level $small --steps 2 --threads 2 --hold-out 4
works "$SCINTIGEN" generate --run run --like cohort --out synthetic --threads 2
evaluate() { "$SCINTIGEN" evaluate --threads 2 --resamples 100 "$@"; }

# With the run: held-out patients, an audit, every file.
works evaluate cohort --synthetic synthetic --run run --out found
for file in evaluation.json slices.tsv maps.safetensors run.json; do
  [ -s "found/$file" ] || fail "no $file"
done
has '"status": "finished"' found/run.json
has "Not a substitute for these real slices" works.out
has "bad      synthetic: Variety" works.out
has "n is small: 4 patients stand for the population" works.out
has '"membership_auc"' found/evaluation.json
has '"region_cerebellum_left"' found/evaluation.json
[ "$(head -n 1 found/slices.tsv | cut -f 1-4)" = "$(printf 'set\tparticipant_id\tcondition\tmean_counts')" ] ||
  fail "columns of slices.tsv"

# The report: one file, names with markup end as text, nothing in it is loaded.
hostile='<img src=x onerror=alert(1)>'
works evaluate cohort --synthetic synthetic --run run --report page.html --name "$hostile" --title '</title><script>alert(2)</script>'
has "&lt;img src=x onerror=alert(1)&gt;" page.html
for markup in '<img src=x' '<script>alert' 'src="http' '@import'; do
  ! grep -qF -- "$markup" page.html || fail "the page holds $markup"
done
for section in Verdict "Real and synthetic slices" "Mean and variety by pixel" "Audit for copies" "Between two latents" "Methods"; do
  has "$section" page.html
done
[ "$(wc -c <page.html)" -lt 10000000 ] || fail "the page is larger than 10 MB"

# As JSON, and the same figures twice.
works evaluate cohort --synthetic synthetic --run run --json
cp works.out once.json
works evaluate cohort --synthetic synthetic --run run --json
refuses "page.html" evaluate cohort --synthetic synthetic --run run --report once.json/page.html
cmp -s once.json works.out || fail "two evaluations differ"
has '"headline"' works.out

# Real people against real people: nothing fails. Without a run nobody is known to be held out.
works evaluate cohort --synthetic cohort --name others --where level=cortex --by pattern
has "may have been trained on" works.out
has "others: Mean counts: equivalent to the real slices" works.out
has "not audited" works.out
works evaluate cohort --synthetic synthetic,cohort --name made,people --held-out sub-001,sub-002 --atlas none
has "people: Variety" works.out

refuses "expected one of auto, held-out, all" evaluate cohort --synthetic synthetic --against strangers
refuses "nobody was held out" evaluate cohort --synthetic synthetic --against held-out
refuses "give --run or --held-out" evaluate cohort --synthetic synthetic --run run --held-out sub-001
refuses "two sets are called 'synthetic'" evaluate cohort --synthetic synthetic,synthetic
refuses "2 names for 1 synthetic sets" evaluate cohort --synthetic synthetic --name a,b
refuses "no such folder" evaluate cohort --synthetic nowhere
refuses "nowhere" evaluate nowhere --synthetic synthetic
refuses "is not the record of a training run" evaluate cohort --synthetic synthetic --run synthetic
refuses "lvl" evaluate cohort --synthetic synthetic --by lvl
refuses "sub-999" evaluate cohort --synthetic synthetic --held-out sub-999
refuses "atlas.nii.gz" evaluate cohort --synthetic synthetic --atlas atlas.nii.gz
mkdir cut
cp synthetic/slices.tsv cut/
head -c 3000 synthetic/synthetic.nii.gz >cut/synthetic.nii.gz
refuses "synthetic.nii.gz" evaluate cohort --synthetic cut
cp synthetic/synthetic.nii.gz cut/
sed -i '$d' cut/slices.tsv
refuses "rows in slices.tsv; expected as many" evaluate cohort --synthetic cut
