# SPDX-License-Identifier: Apache-2.0
# translate: volumes of people and of files through a tiny trained network; scores, warnings, DICOM, refusals.
works "$SCINTIGEN" simulate --like epilepsy-spect --participants 3 --spect-iterations 1 --out scans
works "$SCINTIGEN" prepare scans --spacing-mm 4 --matrix 56,64,48 --out prepared
train() {
  works "$SCINTIGEN" train pix2pix prepared/native --target spect --session ses-interictal --side 64 --slices 24 --width 4 \
    --discriminator-width 4 --batch-size 8 --hold-out 1 --threads 1 --steps 12 --sample-every 6 "$@"
}
train --inputs T1w,pet --out run
for column in ssim_level_mean rmse_smoothed_input ssim_tissue_regression; do has "$column" run/scores.csv; done
translate() { "$SCINTIGEN" translate --run run --threads 1 "$@"; }

# The person held out, with scores. Not a word about how they look.
works translate --cohort prepared/native --score --out scored
cp works.out scored.txt
! grep -q 'does not look like' works.err || fail "somebody of the same cohort was warned about: $(cat works.err)"
grep -q 'held_out' scored/translations.tsv || fail "the person was not recognised as held out"
volume=$(find scored -name '*_desc-synthetic_spect.nii.gz')
[ -s "$volume" ] || fail "no volume"
has '"SyntheticData": true' "${volume%.nii.gz}.json"
has '"counts"' "${volume%.nii.gz}.json"
[ -s "${volume%.nii.gz}_sheet.png" ] && [ -s scored/run.json ] || fail "no sheet or record"
[ "$(head -n 1 scored/scores.csv)" = "method,participant_id,role,slice,place,rmse,mae,psnr,ssim,rmse_brain,psnr_brain,ssim_brain" ] ||
  fail "scores.csv begins otherwise: $(head -n 1 scored/scores.csv)"
for method in translator level_mean smoothed_input tissue_regression; do
  [ "$(grep -c "^$method," scored/scores.csv)" = 24 ] || fail "not 24 slices of $method"
  has "$method" scored.txt
done
has '"ssim_brain"' scored/scores.json
has 'count_error_known_mean' scored/patients.csv

# On the grid of its inputs: metrics refuses others.
t1=$(find prepared/native -name '*_T1w.nii' | sort | head -n 1)
pet=$(find prepared/native -name '*_pet.nii' | sort | head -n 1)
mask=$(find prepared/native -name '*_mask.nii' | sort | head -n 1)
works translate --input "$t1,$pet" --mask "$mask" --samples 3 --batch-statistics --even-slices 2 --brain-mean 50 --out single
works "$SCINTIGEN" metrics "$t1" single/synthetic_spect.nii.gz --range 1
[ -s single/synthetic_spect_sd.nii.gz ] || fail "no map of the deviation"
has '"Samples": 3' single/synthetic_spect.json
! grep -q 'does not look like' works.err || fail "a training person was warned about: $(cat works.err)"
# The same again, and the same by one more file of the same run.
works translate --input "$t1,$pet" --mask "$mask" --samples 3 --batch-statistics --even-slices 2 --brain-mean 50 --out again
cmp single/synthetic_spect.nii.gz again/synthetic_spect.nii.gz || fail "the same command made another volume"
works "$SCINTIGEN" translate --run run,run --input "$t1,$pet" --counts none --out twice
[ -s twice/synthetic_spect_sd.nii.gz ] || fail "no map of an ensemble's deviation"

# What does not look like the training data: exchanged modalities, a scan as it came.
works translate --input "$pet,$t1" --out exchanged
has 'is it another modality?' works.err
raw=$(find scans/ -name '*_T1w.nii.gz' | sort | head -n 1)
works translate --input "$raw,$raw" --planes trained --out raw
has 'trained on 4 x 4 x 4; prepare it' works.err
works "$SCINTIGEN" metrics "$raw" raw/synthetic_spect.nii.gz --range 1 # stored as the input is, sagittal

# To DICOM, beside a series: two commands (docs/file_formats.md).
if command -v dump2dcm >/dev/null; then
  mkdir like
  printf '\0%.0s' {1..96} >pixels.raw
  cat >source.txt <<'DUMP'
(0008,0008) CS ORIGINAL\PRIMARY\RECON TOMO\EMISSION
(0008,0016) UI =NuclearMedicineImageStorage
(0008,0018) UI 1.2.3.4.1
(0008,0060) CS NM
(0018,0088) DS 9
(0020,000d) UI 1.2.3.1
(0020,000e) UI 1.2.3.2
(0020,0052) UI 1.2.3.3
(0028,0002) US 1
(0028,0004) CS MONOCHROME2
(0028,0008) IS 3
(0028,0010) US 4
(0028,0011) US 4
(0028,0030) DS 9\9
(0028,0100) US 16
(0028,0101) US 16
(0028,0102) US 15
(0028,0103) US 0
(0054,0022) SQ
(fffe,e000) -
(0020,0032) DS -13\-13\-9
(0020,0037) DS 1\0\0\0\1\0
(fffe,e00d) -
(fffe,e0dd) -
(7fe0,0010) OW =pixels.raw
DUMP
  works dump2dcm -q +te source.txt like/source.dcm
  works "$SCINTIGEN" export --volume "$volume" --format dicom --like like --modality NM --unit counts --synthetic --out dicom
  dcmdump "$(find dicom -type f | head -n 1)" >dump.txt
  has '(0008,001c) CS [YES]' dump.txt
  has '1.2.3.3' dump.txt
fi

refuses 'no translator was named' "$SCINTIGEN" translate --cohort prepared/native --out other
refuses 'nothing to translate' translate --out other
refuses '--input names 1 file; this run translates T1w and pet' translate --input "$t1" --out other
refuses 'expected one grid; resample' translate --input "$t1,$raw" --out other
refuses 'no checkpoint of step 7; there are: ' translate --step 7 --input "$t1,$pet" --out other
refuses '--participants sub-99: not in' translate --cohort prepared/native --participants sub-99 --out other
refuses 'exists already' translate --input "$t1,$pet" --out single
refuses '--score needs a --cohort' translate --input "$t1,$pet" --score --out other
refuses '--prepared: a cohort is made of the people of one' translate --input "$t1,$pet" --prepared --out other
refuses '--counts none has no unit' translate --input "$t1,$pet" --counts none --level 3 --out other
refuses '--stacked: slices of pix2pix do not overlap' translate --input "$t1,$pet" --stacked --out other
refuses '--match histogram: this run does not say' translate --input "$t1,$pet" --match histogram --out other
refuses 'no such folder' "$SCINTIGEN" translate --run nowhere --input "$t1" --out other
[ ! -e other ] || fail "a refusal left a folder"
