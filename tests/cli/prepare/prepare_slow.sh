# SPDX-License-Identifier: Apache-2.0
# prepare: a BIDS tree to native and template cohorts; what is there is not made again; shards and --merge give the same.
works "$SCINTIGEN" simulate --like epilepsy-spect --participants 2 --spect-iterations 1 --out scans
grid=(--spacing-mm 3 --matrix 72,80,64 --brain surface)

works "$SCINTIGEN" prepare scans --out dry "${grid[@]}" --dry-run
has 'sub-001_T1w.nii.gz' works.err
has '2 of 2 people can be prepared' works.err
[ ! -e dry ] || fail "--dry-run left a folder"

works "$SCINTIGEN" prepare scans --space native,template --out prepared "${grid[@]}" --scaling T1w=volume,spect=slice
for file in native/volumes.json template/volumes.tsv native/sub-001/sub-001_space-native_T1w.nii quality.html run.json prepare.log \
  native/sub-001/sub-001_space-native_desc-brain_mask.nii patients/sub-001.json patients/sub-001_quality.png; do
  [ -s "prepared/$file" ] || fail "no prepared/$file"
done
ls prepared/transforms/sub-001/*.tfm >/dev/null || fail "no transforms"
ls prepared/native/sub-001/*_spect_scaling.tsv >/dev/null || fail "no scaling of the slices"
has '2 people prepared, 0 as they were, 0 failed' works.err
has 'group' prepared/native/volumes.tsv # of participants.tsv
cp prepared/native/volumes.tsv whole.tsv

works "$SCINTIGEN" prepare scans --space native,template --out prepared "${grid[@]}" --scaling T1w=volume,spect=slice
has '0 people prepared, 2 as they were' works.err
rm prepared/native/sub-002/sub-002_space-native_T1w.nii # a lost file is made again
works "$SCINTIGEN" prepare scans --space native,template --out prepared "${grid[@]}" --scaling T1w=volume,spect=slice
has '1 people prepared, 1 as they were' works.err
cmp prepared/native/volumes.tsv whole.tsv

for shard in 1 2; do
  works "$SCINTIGEN" prepare scans --space native,template --out parts "${grid[@]}" --scaling T1w=volume,spect=slice --shard "$shard/2"
done
[ ! -e parts/native/volumes.json ] || fail "a shard wrote the cohort's tables"
works "$SCINTIGEN" prepare scans --space native,template --out parts "${grid[@]}" --scaling T1w=volume,spect=slice --merge
cmp parts/native/volumes.tsv whole.tsv
cmp parts/template/sub-002/sub-002_space-template_T1w.nii prepared/template/sub-002/sub-002_space-template_T1w.nii

# one broken scan: that person is left out, the other comes in, and the exit status says so
cp -r scans broken
head -c 2000 scans/sub-001/anat/sub-001_T1w.nii.gz >broken/sub-001/anat/sub-001_T1w.nii.gz
status=0
"$SCINTIGEN" prepare broken --out partly "${grid[@]}" 2>partly.err || status=$?
[ "$status" = 1 ] || fail "expected exit status 1, found $status: $(cat partly.err)"
has 'sub-001_T1w.nii.gz' partly/skipped.tsv
has 'sub-002' partly/native/volumes.tsv
has 'not prepared' partly/quality.html

# scans that lie on one grid already: none is moved, slices and field of view stay, no T1 is needed
printf 'participant_id\tmodality\tfile\nsub-1\tpet\tprepared/native/sub-001/sub-001_space-native_T1w.nii\nsub-1\tT2w\tprepared/native/sub-001/sub-001_space-native_T1w.nii\n' >one_grid.tsv
refuses_plan=$("$SCINTIGEN" prepare --table one_grid.tsv --modalities pet,T2w --out none 2>&1) && fail "prepared without a T1: $refuses_plan"
works "$SCINTIGEN" prepare --table one_grid.tsv --registered --modalities pet,T2w --brain none --keep-head --spacing-mm 6 --out one_grid
has '36 x 40 x 64 voxels of 6 x 6 x 3 mm' one_grid/patients/sub-1.json
has 'on the grid of' one_grid/patients/sub-1.json
cmp one_grid/native/sub-1/sub-1_space-native_pet.nii one_grid/native/sub-1/sub-1_space-native_T2w.nii
[ ! -e one_grid/transforms ] || fail "a registration was made"
works "$SCINTIGEN" prepare --table one_grid.tsv --registered --modalities pet,T2w --brain none --keep-head --spacing-mm 3 --out as_they_are
has 'copied, voxel on voxel' as_they_are/patients/sub-1.json
sed 's|sub-1\tT2w.*|sub-1\tT2w\tprepared/template/sub-001/sub-001_space-template_T1w.nii|' one_grid.tsv >two_grids.tsv
status=0
"$SCINTIGEN" prepare --table two_grids.tsv --registered --modalities pet,T2w --brain none --keep-head --out two_grids 2>two.err || status=$?
[ "$status" = 1 ] || fail "expected exit status 1, found $status: $(cat two.err)"
has 'expected one grid' two_grids/skipped.tsv
# --grid: the voxels of a file, in template space; a grid that cuts the brain off is refused
"$SCINTIGEN" prepare scans --space template --participants 001 --spacing-mm 4 --brain surface --out made 2>/dev/null
works "$SCINTIGEN" prepare scans --space template --participants 001 --grid made/template/sub-001/sub-001_space-template_T1w.nii --brain surface --out same
cmp made/template/sub-001/sub-001_space-template_T1w.nii same/template/sub-001/sub-001_space-template_T1w.nii
works "$SCINTIGEN" prepare scans --space template --grid made/template/sub-001/sub-001_space-template_T1w.nii --out dry --dry-run
has 'template at 40 x 48 x 39 voxels of 4 x 4 x 4 mm' works.err

# --template-fit deformable: a displacement field, other voxels in template space, the same in native space; affine takes it away again
deformable() { "$SCINTIGEN" prepare scans --participants 001 --space native,template --modalities T1w "${grid[@]}" "$@"; }
works deformable --template-fit deformable --out deformed
warp=deformed/transforms/sub-001/sub-001_T1w_from-template_warp.nii.gz
[ -s "$warp" ] || fail "no $warp"
has '"least_jacobian"' deformed/patients/sub-001.json
has 'through the deformation to the template' deformed/patients/sub-001.json
works deformable --out straight
[ ! -e "straight/transforms/sub-001/${warp##*/}" ] || fail "an affine map with displacements"
t1=sub-001/sub-001_space-
cmp deformed/native/${t1}native_T1w.nii straight/native/${t1}native_T1w.nii
! cmp -s deformed/template/${t1}template_T1w.nii straight/template/${t1}template_T1w.nii || fail "the deformation changed nothing"
works deformable --out deformed
[ ! -e "$warp" ] || fail "displacements of an earlier run are left"
cmp deformed/template/${t1}template_T1w.nii straight/template/${t1}template_T1w.nii
printf 'participant_id\tmodality\tfile\nsub-1\tpet\t%s\n' "$(find scans/sub-001 -name '*_pet.nii.gz' | head -n 1)" >pet_alone.tsv
refuses 'sub-1: no T1w, which --template-fit deformable needs; take affine' "$SCINTIGEN" prepare --table pet_alone.tsv --modalities pet \
  --space template --template-fit deformable --out none
refuses '--template-fit deformable: nothing is brought to the template; add --space template' "$SCINTIGEN" prepare scans \
  --template-fit deformable --out none
