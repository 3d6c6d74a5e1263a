# SPDX-License-Identifier: Apache-2.0
# siscom on a simulated person: maps, clusters, page, two interictal scans beside each other, DICOM.
works "$SCINTIGEN" simulate --like epilepsy-spect --participants 1 --spect-iterations 1 --out scans
spect=scans/sub-001
ictal=$spect/ses-ictal/spect/sub-001_ses-ictal_spect.nii.gz
interictal=$spect/ses-interictal/spect/sub-001_ses-interictal_spect.nii.gz
common=(--mri "$spect/anat/sub-001_T1w.nii.gz" --brain-mask scans/derivatives/truth/sub-001/anat/sub-001_desc-brain_mask.nii.gz
  --atlas none --spacing-mm 4)

works "$SCINTIGEN" siscom --ictal "$ictal" --interictal "$interictal" "${common[@]}" --out real
for file in report.html run.json siscom.json clusters.tsv space-mri_difference.nii.gz space-mri_z.nii.gz space-ictal_difference.nii.gz \
  space-ictal_z.nii.gz space-mri_brain_mask.nii.gz transforms/ictal_to_MRI.tfm transforms/interictal_to_ictal.txt overlay_above_1.png; do
  [ -s "real/$file" ] || fail "no real/$file"
done
has 'interictal: first of' works.err
has 'not for diagnosis' real/report.html
[ "$(awk -F '\t' 'NR > 1 && $2 == "above"' real/clusters.tsv | wc -l)" -ge 1 ] || fail "no increase"
refuses 'are the same, voxel by voxel; expected two scans' "$SCINTIGEN" siscom --ictal "$ictal" --interictal "$ictal" "${common[@]}" --out same

# exchanged: what rose has fallen (registered the other way round, so not to the last digit)
works "$SCINTIGEN" siscom --ictal "$interictal" --interictal "$ictal" "${common[@]}" --out exchanged
top() { awk -F '\t' -v d="$1" '$2 == d { print $6, $7, $8; exit }' "$2/clusters.tsv"; }
read -r x y z <<<"$(top above real)"
read -r a b c <<<"$(top below exchanged)"
awk -v d="$x $y $z $a $b $c" 'BEGIN { split(d, p, " "); exit sqrt((p[1]-p[4])^2 + (p[2]-p[5])^2 + (p[3]-p[6])^2) > 9 }' ||
  fail "the first increase at $x $y $z; exchanged at $a $b $c"

# a second interictal scan beside the first: the same one as "synthetic"
works "$SCINTIGEN" siscom --ictal "$ictal" --interictal "$interictal" --synthetic-interictal "$interictal" --synthetic-space own \
  "${common[@]}" --counts robust --smooth-mm 8 --out both
has '"top_clusters_dice": 1.0' both/siscom.json
has 'SYNTHETIC' <(gzip -dc both/space-mri_z_synthetic.nii.gz | head -c 348 | tr '\0' ' ')
[ -s both/clusters_synthetic.tsv ] || fail "no second table"

command -v dump2dcm >/dev/null || exit 0 # dcmtk's tools make a series; export makes the ictal scan one beside it
mkdir like
printf '\0%.0s' {1..96} >pixels.raw
sed -n "/^cat >source.txt/,/^DUMP/p" "$SCINTIGEN_SOURCE/tests/cli/export/export.sh" | sed '1d;$d' >source.txt
works dump2dcm -q +te source.txt like/source.dcm
works "$SCINTIGEN" export --volume "$ictal" --format dicom --like like --modality NM --out ictal_dicom
works "$SCINTIGEN" siscom --ictal ictal_dicom --interictal "$interictal" "${common[@]}" --dicom --out dicom
[ -n "$(ls dicom/dicom_z)" ] || fail "no DICOM"
dcmdump dicom/dicom_z/* | grep -q 'DERIVED' || fail "the map does not say that it is derived"
! dcmdump dicom/dicom_z/* | grep -q 'Canary' || fail "a name in the map"
