# SPDX-License-Identifier: Apache-2.0
# What import refuses: exit status 2 and one line. Files and texts in full: tests/imaging/test_import_refusals.cpp.
import() { "$SCINTIGEN" import "$@"; }
printf 'participant_id\tslice\tlevel\nsub-1\t3\tcortex\n' >slices.tsv
volumes='{participant_id}.nii.gz'
refuses '--table' import --out cohort
refuses '--out' import --table slices.tsv --volumes "$volumes"
refuses 'missing.tsv' import --table missing.tsv --volumes "$volumes" --out cohort
refuses '--matrix' import --table slices.tsv --volumes "$volumes" --out cohort --matrix 0
refuses '--matrix' import --table slices.tsv --volumes "$volumes" --out cohort --matrix sixty
refuses '--matrx' import --table slices.tsv --volumes "$volumes" --out cohort --matrx 64
refuses 'did you mean' import --table slices.tsv --volumes "$volumes" --out cohort --where level=cortx
refuses "column 'levle'" import --table slices.tsv --volumes "$volumes" --out cohort --where levle=cortex
refuses 'give --volumes' import --table slices.tsv --out cohort
[ ! -e cohort ] || fail "a refused table left a folder"

refuses 'sub-1.nii.gz: no such file' import --table slices.tsv --volumes "$volumes" --out cohort
printf '<html>not found</html>' >sub-1.nii.gz
refuses 'web page' import --table slices.tsv --volumes "$volumes" --out cohort
printf 'only a text' | gzip >sub-1.nii.gz
refuses 'not NIfTI' import --table slices.tsv --volumes "$volumes" --out cohort
[ ! -e cohort/cohort.json ] || fail "a cohort of nothing"
has '"status": "failed"' cohort/run.json
refuses 'import did not write' import --table slices.tsv --volumes "$volumes" --out .
printf 'participant_id\tslice\n../../x\t1\n' >slices.tsv
refuses 'participant_id is "../../x"' import --table slices.tsv --volumes "$volumes" --out other
[ ! -e other ] || fail "a refused table left a folder"
