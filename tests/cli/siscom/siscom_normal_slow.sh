# SPDX-License-Identifier: Apache-2.0
# siscom with the template: counts by a reference region, comparison with normal differences.
template=/usr/share/mricron/templates
[ -f "$template/ch2bet.nii.gz" ] || { echo "no template (mricron-data)" && exit 77; }
works "$SCINTIGEN" simulate --like epilepsy-spect --participants 1 --spect-iterations 1 --out scans
spect=scans/sub-001
ictal=$spect/ses-ictal/spect/sub-001_ses-ictal_spect.nii.gz
interictal=$spect/ses-interictal/spect/sub-001_ses-interictal_spect.nii.gz
common=(--mri "$spect/anat/sub-001_T1w.nii.gz" --brain-mask scans/derivatives/truth/sub-001/anat/sub-001_desc-brain_mask.nii.gz
  --spacing-mm 4)
figure() { tr -d ' \n' <"$2/siscom.json" | grep -o "\"$1\":[-0-9.e]*" | head -n 1 | cut -d: -f2; }

works "$SCINTIGEN" siscom --ictal "$ictal" --interictal "$interictal" "${common[@]}" --out mean
works "$SCINTIGEN" siscom --ictal "$ictal" --interictal "$interictal" "${common[@]}" --counts reference --reference-region Cerebelum --out reference
awk -v a="$(figure interictal_factor mean)" -v b="$(figure interictal_factor reference)" \
  'BEGIN { exit !(a > 0.5 && a < 2 && b > 0.5 && b < 2 && a != b) }' || fail "factors of mean and of the cerebellum"
status=0
"$SCINTIGEN" siscom --ictal "$ictal" --interictal "$interictal" "${common[@]}" --counts reference --reference-region Nowhere --out no 2>no.err || status=$?
[ "$status" = 2 ] || fail "a region that is not there: exit status $status"
has 'no region of' no.err

# The template's brain as the SD of normal differences, its gray values (about 100) as per cent: nothing is beyond 3.09 of those.
works "$SCINTIGEN" siscom --ictal "$ictal" --interictal "$interictal" "${common[@]}" --normal-sd "$template/ch2bet.nii.gz" --normal-people 12 --out normal
[ -s normal/space-mri_normal_t.nii.gz ] || fail "no map against normal differences"
[ "$(wc -l <normal/normal_clusters.tsv)" = 1 ] || fail "a difference beyond 3 SD of 100 %"
awk -F '\t' 'NR > 1 && $2 == "above"' normal/clusters.tsv | grep -q . || fail "no increase by the pair's own SD"
