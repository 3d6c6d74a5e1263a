# SPDX-License-Identifier: Apache-2.0
# translate with a Cycle-GAN of triplets and one of cubes: T1 to PET, from simulated controls to DICOM beside the PET series.
works "$SCINTIGEN" simulate --like fdg --participants 12 --out scans
# Those who have both.
people=$(find scans -name '*_pet.nii.gz' | sed 's|.*/\(sub-[0-9]*\)_.*|\1|' | sort -u | head -n 3 | paste -sd ,)
works "$SCINTIGEN" prepare scans --participants "$people" --space template --modalities T1w,pet --spacing-mm 4 --out prepared
train() {
  "$SCINTIGEN" train cyclegan prepared/template --side 48 --width 4 --blocks 1 --discriminator-width 4 --batch-size 2 --hold-out 1 \
    --weight-mse 10 --threads 1 --steps 6 --sample-every 6 "$@"
}
t1=$(find prepared/template -name '*_T1w.nii' | sort | head -n 1)
mask=$(find prepared/template -name '*_mask.nii' | sort | head -n 1)
for pieces in triplets patches; do
  padding=reflect
  [ $pieces = triplets ] || padding=replicate
  works train --pieces $pieces --padding $padding --patch-stride 16 --out run_$pieces
  translate() { "$SCINTIGEN" translate --run run_$pieces --threads 1 "$@"; }

  # The person held out, with scores: smoothed by 1.5 mm, as it was not asked otherwise.
  works translate --cohort prepared/template --score --out scored_$pieces
  volume=$(find scored_$pieces -name '*_desc-synthetic_pet.nii.gz')
  [ -s "$volume" ] || fail "no volume"
  has '"SmoothingFwhm_mm": 1.5' "${volume%.nii.gz}.json"
  has 'Cycle-GAN (Zotova et al. 2021)' "${volume%.nii.gz}.json"
  grep -q 'held_out' scored_$pieces/translations.tsv || fail "the person was not recognised as held out"
  for method in translator level_mean smoothed_input tissue_regression; do
    grep -q "^$method," scored_$pieces/scores.csv || fail "no scores of $method"
  done

  # As a cohort: the same volumes, not compressed, which others read.
  works translate --cohort prepared/template --participants "$people" --prepared --out cohort_$pieces
  made=cohort_$pieces/${volume#scored_$pieces/}
  gunzip -c "$volume" | cmp - "${made%.gz}" || fail "another volume in the cohort"
  works "$SCINTIGEN" train siamese cohort_$pieces --patches 200 --steps 2 --threads 1 --out features_$pieces

  # One file; each switch makes another volume, on the same grid, and the same twice.
  for switch in '' --stacked '--smooth-mm 6' '--match histogram' '--match mean'; do
    name=single_$pieces$(echo "$switch" | tr -d ' ')
    # shellcheck disable=SC2086
    works translate --input "$t1" --mask "$mask" $switch --out "$name"
    works "$SCINTIGEN" metrics "$t1" "$name/synthetic_pet.nii.gz" --range 1
    [ "$name" = single_$pieces ] || ! cmp -s "$name/synthetic_pet.nii.gz" single_$pieces/synthetic_pet.nii.gz ||
      fail "$switch changed nothing"
  done
  works translate --input "$t1" --mask "$mask" --out again_$pieces
  cmp single_$pieces/synthetic_pet.nii.gz again_$pieces/synthetic_pet.nii.gz || fail "the same command made another volume"
  refuses 'was trained without dropout' translate --input "$t1" --dropout --out other
  refuses '--input names 2 files; this run translates T1w' translate --input "$t1,$t1" --out other
done
refuses 'the runs do not fit together' "$SCINTIGEN" translate --run run_triplets,run_patches --input "$t1" --out other
[ ! -e other ] || fail "a refusal left a folder"

newest() { find "$1/checkpoints" -name 'step-*' | sort | tail -n 1; }
train_small() { "$SCINTIGEN" train cyclegan prepared/template --side 48 --width 4 --blocks 1 --discriminator-width 4 --hold-out 1 --threads 1 "$@"; }
# One generator and no way back; instance norm; people who have either.
works train_small --method simple --norm instance --steps 2 --out simple
! grep -qa 'source_generator' "$(newest simple)" || fail "a Simple-GAN with two generators"
works train_small --unpaired --steps 2 --out unpaired
has 'not paired' works.err
works "$SCINTIGEN" train cyclegan prepared/template --target-cohort prepared/template --side 48 --width 4 --blocks 1 \
  --discriminator-width 4 --hold-out 0 --threads 1 --steps 2 --out two
has 'of 3 and 3 people, not paired, to train on' works.err
for recipe in simple cycle cycle-3d; do
  works "$SCINTIGEN" train cyclegan prepared/template --recipe "$SCINTIGEN_SOURCE/recipes/zotova-$recipe.toml" --width 4 --side 48 --blocks 1 \
    --discriminator-width 4 --hold-out 1 --batch-size 1 --threads 1 --steps 1 --out "recipe-$recipe"
done
