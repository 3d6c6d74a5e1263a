# SPDX-License-Identifier: Apache-2.0
# What prepare refuses: exit status 2 and one line.
prepare() { "$SCINTIGEN" prepare "$@"; }
mkdir empty
refuses 'name a folder (BIDS or DICOM), or --table' prepare --out out
refuses 'both a folder and --table' prepare empty --table scans.tsv --out out
refuses 'nowhere: not there; expected a folder' prepare nowhere --out out
refuses 'empty: no scans found' prepare empty --out out
refuses '--space mni: expected native, template or acpc' prepare empty --space mni --out out
refuses '--scaling PET=...: no such modality; did you mean pet?' prepare empty --scaling PET=suvr --out out
refuses '--scaling suv: expected' prepare empty --scaling pet=suv --out out
refuses '--matrix: 2 numbers; expected three' prepare empty --matrix 256,256 --out out
refuses '--shard 3/2: expected i/n' prepare empty --shard 3/2 --out out
refuses 'give it without --shard' prepare empty --shard 1/2 --merge --out out
refuses '--modalities CT: expected' prepare empty --modalities CT --out out
refuses '--pick FDG: expected MODALITY=TEXT' prepare empty --pick FDG --out out
refuses '--grid grid.nii: not there; expected a NIfTI file' prepare empty --grid grid.nii --out out
refuses 'leave out --matrix and --spacing-mm' prepare empty --grid grid.nii --spacing-mm 2 --out out
refuses 'leave out --matrix and --spacing-mm' prepare empty --grid grid.nii --matrix 64,64,64 --out out
refuses '--space names 2: native,template' prepare empty --grid grid.nii --space native,template --out out

printf 'participant_id\tmodality\tfile\nsub-1\tPET\tpet.nii\n' >scans.tsv
refuses "modality 'PET'; expected" prepare --table scans.tsv --out out
printf 'participant_id\tmodality\tfile\n../x\tpet\tpet.nii\n' >scans.tsv
refuses "participant_id: '../x'" prepare --table scans.tsv --out out
printf 'participant_id\tmodality\tfile\nsub-1\tpet\tpet.nii\n' >scans.tsv
refuses 'sub-1: pet.nii: no such file' prepare --table scans.tsv --out out
: >pet.nii && : >a.nii && : >b.nii
refuses 'no T1w, so there is no native space' prepare --table scans.tsv --out out
printf 'participant_id\tmodality\tfile\nsub-1\tT1w\ta.nii\nsub-1\tT1w\tb.nii\n' >scans.tsv
refuses 'choose one with --pick T1w=TEXT' prepare --table scans.tsv --out out
refuses '--participants sub-2: not in the input; did you mean sub-1?' prepare --table scans.tsv --participants sub-2 --out out
[ ! -e out ] || fail "a refused input left a folder"

printf 'participant_id\tmodality\tfile\nsub-1\tT1w\ta.nii\n' >scans.tsv
printf '<html>' >a.nii
status=0
prepare --table scans.tsv --out out --brain surface 2>err || status=$?
[ "$status" = 2 ] || fail "expected exit status 2, found $status"
has 'nothing could be prepared; the reasons are in' err
has 'a.nii' out/skipped.tsv
mkdir other && : >other/thesis.doc
refuses 'holds thesis.doc, which prepare did not write' prepare --table scans.tsv --out other
refuses '--matrix: not with --registered' prepare empty --registered --matrix 64,64,64 --out out
