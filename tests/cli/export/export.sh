# SPDX-License-Identifier: Apache-2.0
# scintigen export: NIfTI, BIDS, DICOM of a simulated scan, and what it refuses. Files in full: tests/imaging/test_export.cpp.
made_up_scans people 1
scan=$(find people -name '*_spect.nii.gz' | head -n 1)
[ -n "$scan" ] || fail "no scan of the simulated person"
export_scan() { "$SCINTIGEN" export --volume "$scan" --synthetic "$@"; }

works export_scan --out copy.nii.gz
[ -s copy.nii.gz ] || fail "no copy"
refuses 'copy.nii.gz: is there already' export_scan --out copy.nii.gz
refuses '--format dicom needs --like' export_scan --format dicom --out objects
refuses 'no DICOM series' export_scan --format dicom --like people --out objects
refuses '--participant' export_scan --format bids --modality PT --out bids
refuses "'../1'" export_scan --format bids --modality PT --participant ../1 --out bids
[ ! -e objects ] && [ ! -e bids ] || fail "a refusal left files"

works export_scan --format bids --modality PT --participant 01 --tracer FDG --unit Bq/mL --out bids
has '"SyntheticData": true' bids/sub-01/pet/sub-01_trc-FDG_space-individual_desc-synth_pet.json
has '"derivative"' bids/dataset_description.json

command -v dump2dcm >/dev/null || exit 0 # dcmtk's tools make the series to stand beside
mkdir like
printf '\0%.0s' {1..96} >pixels.raw
cat >source.txt <<'DUMP'
(0008,0008) CS ORIGINAL\PRIMARY\RECON TOMO\EMISSION
(0008,0016) UI =NuclearMedicineImageStorage
(0008,0018) UI 1.2.3.4.1
(0008,0060) CS NM
(0010,0010) PN Canary^Patient
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
for modality in PT NM; do
  works export_scan --format dicom --like like --modality $modality --unit Bq/mL --out "objects_$modality"
  ! grep -rq Canary "objects_$modality" works.err works.out || fail "the patient's name came out"
  first=$(find "objects_$modality" -name '*00001.dcm')
  dcmdump "$first" >dump.txt
  has '[DERIVED\SECONDARY' dump.txt
  has '(0008,001c)' dump.txt
  has '1.2.3.3' dump.txt
  refuses 'is there already' export_scan --format dicom --like like --modality $modality --out "objects_$modality"
done
works export_scan --format dicom --like like --modality NM --keep-identity --out named
grep -rq Canary named || fail "--keep-identity kept nothing"
