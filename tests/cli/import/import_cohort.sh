# SPDX-License-Identifier: Apache-2.0
# import: a cohort from scans, exit status 1 where one had to be skipped, nothing half done.
made_up_scans scans 3
volumes='{participant_id}/ses-{session}/spect/{participant_id}_ses-{session}_spect.nii.gz'
works "$SCINTIGEN" import --table scans/slices.tsv --volumes "$volumes" --out cohort --unit counts
for file in cohort.json slices.tsv slices.safetensors contact_sheet.png run.json import.log; do
  [ -s "cohort/$file" ] || fail "no cohort/$file"
done
[ ! -e cohort/skipped.tsv ] || fail "skipped.tsv though nothing was skipped"
has '"status": "finished"' cohort/run.json
has '"sha256"' cohort/run.json
has '3 participants' works.err

# the same again needs --overwrite, and gives the same bytes
cp cohort/slices.safetensors before
refuses 'give another folder or --overwrite' "$SCINTIGEN" import --table scans/slices.tsv --volumes "$volumes" --out cohort
works "$SCINTIGEN" import --table scans/slices.tsv --volumes "$volumes" --out cohort --unit counts --overwrite
cmp before cohort/slices.safetensors || fail "another cohort from the same scans"

# one patient's volume is missing: the others come in, and the exit status says so
first=sub-001
rm scans/$first/ses-*/spect/*.nii.gz
status=0
"$SCINTIGEN" import --table scans/slices.tsv --volumes "$volumes" --out partly 2>partly.err || status=$?
[ "$status" = 1 ] || fail "expected exit status 1, found $status"
has "warning: skipped: scans/$first/ses-rest/spect/${first}_ses-rest_spect.nii.gz: no such file" partly.err
has "$first" partly/skipped.tsv
has '2 participants' partly.err
[ -s partly/cohort.json ] || fail "no cohort of the other two"
