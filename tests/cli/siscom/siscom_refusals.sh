# SPDX-License-Identifier: Apache-2.0
# What siscom refuses: exit status 2 and one line.
siscom() { "$SCINTIGEN" siscom --mri t1.nii.gz --ictal ictal.nii.gz --out out "$@"; }
refuses 'nothing to subtract: give --interictal' siscom
refuses 'needs --reference-mask or --reference-region' siscom --interictal a.nii.gz --counts reference
refuses 'needs --reference-mask or --reference-region' siscom --interictal a.nii.gz --counts reference --reference-mask m.nii.gz --reference-region Cere
refuses 'go with --counts reference' siscom --interictal a.nii.gz --reference-region Cerebelum
refuses '--atlas none: --reference-region and --normal-sd need the template' siscom --interictal a.nii.gz --atlas none --normal-sd sd.nii.gz
refuses '--normal-mean and --normal-people go with --normal-sd' siscom --interictal a.nii.gz --normal-people 14
refuses '--normal-people 1: one person has no SD' siscom --interictal a.nii.gz --normal-sd sd.nii.gz --normal-people 1
refuses 'is no DICOM folder to put the map beside' siscom --interictal a.nii.gz --dicom
refuses '--ictal: ictal.nii.gz: not there; expected a NIfTI file or a folder' siscom --interictal a.nii.gz
refuses 'robust' siscom --interictal a.nii.gz --counts robus
mkdir taken && touch taken/file
refuses 'taken: holds files that siscom did not write' "$SCINTIGEN" siscom --mri t1.nii.gz --ictal i.nii.gz --interictal a.nii.gz --out taken
