# SPDX-License-Identifier: Apache-2.0
"""A simulated cohort as a hospital would send it: MR and PET one file a slice (PET with a slope a slice), SPECT as NM multi-frame.

/usr/bin/python3 tools/simulated_to_dicom.py COHORT FOLDER. Written by pydicom, so that scintigen's reader meets files that are not
its own. File names and the order of files say nothing; patients have made-up names.
"""
import pathlib
import random
import sys

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR, PET, NM = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.20"
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def begin(path, sop_class, patient, study, series, frame):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.is_little_endian, data.is_implicit_VR = True, False
    data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID, data.PatientBirthDate = f"Canary^{patient}", f"HOSP-{patient}", "19500101"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    return data


def numbers(values):
    return [f"{value:.10g}" for value in values]


def slices(image, folder, modality, patient, study):
    """One file a slice along the third axis, shuffled."""
    voxels, affine = np.asarray(image.dataobj, np.float32), LPS @ image.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    series, frame = generate_uid(), generate_uid()
    order = list(range(voxels.shape[2]))
    random.Random(patient).shuffle(order)
    folder.mkdir(parents=True)
    for name, k in enumerate(order):
        path = folder / f"IM{name:05d}"
        data = begin(path, MR if modality == "MR" else PET, patient, study, series, frame)
        data.Modality, data.ImageType = modality, ["ORIGINAL", "PRIMARY"]
        plane = np.maximum(voxels[:, :, k].T, 0)  # rows run along j
        data.Rows, data.Columns = plane.shape
        data.PixelSpacing = numbers([spacing[1], spacing[0]])
        data.SliceThickness = numbers([spacing[2]])[0]
        data.ImageOrientationPatient = numbers([*(affine[:3, 0] / spacing[0]), *(affine[:3, 1] / spacing[1])])
        data.ImagePositionPatient = numbers(affine[:3, :3] @ [0, 0, k] + affine[:3, 3])
        data.InstanceNumber = name + 1
        slope = 1.0
        if modality == "MR":
            data.EchoTime, data.RepetitionTime, data.InversionTime, data.ScanningSequence = "3.2", "2300", "900", "GR"
        else:
            slope = max(float(plane.max()), 1e-6) / 32767
            data.SeriesType, data.Units = ["STATIC", "IMAGE"], "BQML"
            drug = Dataset()
            drug.Radiopharmaceutical = "FDG -- fluorodeoxyglucose"
            data.RadiopharmaceuticalInformationSequence = Sequence([drug])
        data.RescaleSlope, data.RescaleIntercept = f"{slope:.10g}", "0"
        data.PixelData = np.round(plane / float(f"{slope:.10g}")).astype("<u2").tobytes()
        data.save_as(path, write_like_original=False)


def multi_frame(image, folder, patient, study):
    """NM: one file, frames from the head down, so that Spacing Between Slices is negative."""
    voxels, affine = np.asarray(image.dataobj, np.float32), LPS @ image.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    folder.mkdir(parents=True)
    data = begin(folder / "RECON", NM, patient, study, generate_uid(), generate_uid())
    data.Modality, data.ImageType = "NM", ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    rising = np.dot(normal, affine[:3, 2]) > 0  # k runs along row x column
    stored = voxels[:, :, ::-1] if rising else voxels
    first = affine[:3, :3] @ [0, 0, voxels.shape[2] - 1 if rising else 0] + affine[:3, 3]
    peak = float(stored.max()) / 32767
    data.Rows, data.Columns, data.NumberOfFrames = stored.shape[1], stored.shape[0], stored.shape[2]
    data.PixelSpacing = numbers([spacing[1], spacing[0]])
    data.SliceThickness, data.SpacingBetweenSlices = numbers([spacing[2]])[0], numbers([-spacing[2]])[0]
    detector = Dataset()
    detector.ImageOrientationPatient = numbers([*(affine[:3, 0] / spacing[0]), *(affine[:3, 1] / spacing[1])])
    detector.ImagePositionPatient = numbers(first)
    data.DetectorInformationSequence = Sequence([detector])
    data.FrameIncrementPointer = (0x0054, 0x0080)
    data.SliceVector, data.NumberOfSlices = list(range(1, stored.shape[2] + 1)), stored.shape[2]
    data.RescaleSlope, data.RescaleIntercept = f"{peak:.10g}", "0"
    frames = np.round(np.maximum(stored, 0) / float(f"{peak:.10g}")).astype("<u2")
    data.PixelData = np.ascontiguousarray(frames.transpose(2, 1, 0)).tobytes()
    data.save_as(folder / "RECON", write_like_original=False)


def main(cohort, out):
    for person in sorted(cohort.glob("sub-*")):
        folder = out / f"PAT{random.Random(person.name).randrange(10 ** 6):06d}-{person.name[-3:]}"
        scans = sorted(person.rglob("*.nii.gz"))
        mri_study = generate_uid(entropy_srcs=[person.name, "a"])
        for number, scan in enumerate(scans):
            image, where = nibabel.load(scan), folder / f"SER{number}"
            if scan.name.endswith("_T1w.nii.gz"):
                slices(image, where, "MR", person.name, mri_study)
            elif scan.name.endswith("_pet.nii.gz"):
                slices(image, where, "PT", person.name, generate_uid(entropy_srcs=[person.name, "b"]))
            else:
                multi_frame(image, where, person.name, generate_uid(entropy_srcs=[person.name, scan.name]))


if len(sys.argv) != 3:
    sys.exit("usage: tools/simulated_to_dicom.py COHORT FOLDER")
main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
