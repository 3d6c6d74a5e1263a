# SPDX-License-Identifier: Apache-2.0
# detect: what is refused before anything is computed. With a detector: detect_slow.sh.
mkdir scans
refuses 'holds no checkpoint; expected a run of' "$SCINTIGEN" detect fit scans --features features --out none
refuses 'no volumes.json; expected a folder that' "$SCINTIGEN" detect baseline scans --modality spect --method z --leave-out sub-009 --out none
refuses '--method' "$SCINTIGEN" detect baseline scans --modality spect --method zz --out none
