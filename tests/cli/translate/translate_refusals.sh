# SPDX-License-Identifier: Apache-2.0
# translate: what is refused before anything is read. With a network: translate_slow.sh.
refuses 'no translator was named; give --run FOLDER' "$SCINTIGEN" translate --cohort prepared --out other
refuses 'both --run and --checkpoint were given' "$SCINTIGEN" translate --run run --checkpoint a.safetensors --input a.nii --out other
refuses 'nothing to translate; give --cohort FOLDER' "$SCINTIGEN" translate --run run --out other
refuses 'both --cohort and --input were given' "$SCINTIGEN" translate --run run --cohort prepared --input a.nii --out other
refuses '--step chooses a checkpoint of --run' "$SCINTIGEN" translate --checkpoint a.safetensors --step 3 --input a.nii --out other
refuses '--mask goes with --input' "$SCINTIGEN" translate --run run --cohort prepared --mask a.nii --out other
refuses '--score needs a --cohort' "$SCINTIGEN" translate --run run --input a.nii --score --out other
refuses '--counts none has no unit' "$SCINTIGEN" translate --run run --input a.nii --counts none --level 3 --out other
refuses '--level and --brain-mean exclude each other' "$SCINTIGEN" translate --run run --input a.nii --level 3 --brain-mean 3 --out other
refuses 'no such folder; expected a run of `scintigen train pix2pix`' "$SCINTIGEN" translate --run nowhere --input a.nii --out other
mkdir -p empty full && touch full/file
refuses 'holds no checkpoint' "$SCINTIGEN" translate --run empty --input a.nii --out other
refuses 'exists already; nothing is overwritten' "$SCINTIGEN" translate --run run --input a.nii --out full
printf 'not a checkpoint' >bad.safetensors
refuses 'bad.safetensors' "$SCINTIGEN" translate --checkpoint bad.safetensors --input a.nii --out other
[ ! -e other ] || fail "a refusal left a folder"
