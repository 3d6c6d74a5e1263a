# SPDX-License-Identifier: Apache-2.0
# siscom with the template: counts by a reference region, comparison with normal differences; a scan that fits nothing.
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

# Noise on the interictal scan's grid fits nothing: nothing is subtracted unless that is asked for.
gzip -dc "$interictal" | head -c 352 >noise.nii
printf '\2\0\10\0' | dd of=noise.nii bs=1 seek=70 conv=notrunc status=none # uint8
LC_ALL=C awk 'BEGIN { s = 1; for (i = 0; i < 64 * 64 * 48; ++i) { s = s * 16807 % 2147483647; printf "%c", 1 + s % 255 } }' >>noise.nii
status=0
"$SCINTIGEN" siscom --ictal "$ictal" --interictal noise.nii "${common[@]}" --atlas none --out doubtful >doubtful.out 2>doubtful.err || status=$?
[ "$status" = 1 ] || fail "noise as interictal scan: exit status $status, expected 1"
has 'nothing subtracted: ' doubtful.err
has '--keep-doubtful goes on' doubtful.err
[ ! -e doubtful/space-mri_z.nii.gz ] || fail "a z map of a doubtful registration"
works "$SCINTIGEN" siscom --ictal "$ictal" --interictal noise.nii "${common[@]}" --atlas none --keep-doubtful --out kept
[ -s kept/space-mri_z.nii.gz ] || fail "no z map with --keep-doubtful"
