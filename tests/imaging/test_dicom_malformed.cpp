// SPDX-License-Identifier: Apache-2.0
// Damaged and hostile files: each is refused by a clear text, at once, in little memory.
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <cmath>
#include <functional>

#include "core/temporary_folder.h"
#include "imaging/dicom_maker.h"
#include "imaging/dicom_series.h"

namespace scintigen {
namespace {

Grid small_grid() { return centred_grid(32, 24, 4, 2); }

MadeDicom sound() { return made_nm(small_grid(), made_values(small_grid(), 0, 4)); }

class DicomMalformedTest : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return folder_ / "file.dcm"; }
  /// Finds and reads whatever is in the folder; "" if it was read.
  std::string read() {
    const auto found = find_dicom_series(folder_.path(), nullptr);
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? "" : refusal([&] { read_dicom_series(found.front()); });
  }
  void expect_read(const std::string& part) {
    const auto text = read();
    EXPECT_NE(text.find(part), std::string::npos) << "'" << text << "', expected '" << part << "'";
    EXPECT_NE(text.find("file.dcm"), std::string::npos) << text;
    EXPECT_LT(text.size(), 400U);
  }
  void expect(const std::function<void(MadeDicom&)>& change, const std::string& part,
              E_TransferSyntax syntax = EXS_LittleEndianExplicit) {
    auto made = sound();
    change(made);
    made.save(path(), syntax);
    expect_read(part);
  }
  void expect_text(const DcmTagKey& tag, const std::string& value, const std::string& part) {
    expect([&](MadeDicom& made) { made.text(tag, value); }, part);
  }
  void expect_whole(const DcmTagKey& tag, int value, const std::string& part) {
    expect([&](MadeDicom& made) { made.whole(tag, value); }, part);
  }
  std::string sound_bytes(E_TransferSyntax syntax = EXS_LittleEndianExplicit) {
    sound().save(path(), syntax);
    return bytes_of(path());
  }
  void expect_bytes(const std::string& bytes, const std::string& part) {
    put_bytes(path(), bytes);
    expect_read(part);
  }
  TemporaryFolder folder_;
};

std::string tag_bytes(int group, int element) {
  return {static_cast<char>(group), static_cast<char>(group >> 8), static_cast<char>(element),
          static_cast<char>(element >> 8)};
}

std::string length_bytes(uint32_t length) {
  return {static_cast<char>(length), static_cast<char>(length >> 8),
          static_cast<char>(length >> 16), static_cast<char>(length >> 24)};
}

TEST_F(DicomMalformedTest, TheSoundFileIsRead) {
  sound().save(path());
  EXPECT_EQ(read(), "");
}

TEST_F(DicomMalformedTest, TruncatedAnywhere) {
  for (const auto syntax :
       {EXS_LittleEndianExplicit, EXS_LittleEndianImplicit, EXS_BigEndianExplicit}) {
    const auto whole = sound_bytes(syntax);
    const size_t pixels = whole.size() - 32 * 24 * 4 * 2;
    // every byte of the header, then into the pixels
    for (size_t cut = 133; cut < pixels + 8; ++cut) {
      put_bytes(path(), whole.substr(0, cut));
      const auto text = read();
      ASSERT_NE(text, "") << "cut at " << cut << " of " << whole.size();
      ASSERT_NE(text.find("file.dcm: "), std::string::npos) << text;
    }
    expect_bytes(whole.substr(0, whole.size() - 1), "(7fe0,0010) claims 6144 bytes");
    expect_bytes(whole.substr(0, whole.size() / 2), "expected a whole file");
  }
}

TEST_F(DicomMalformedTest, Sizes) {
  expect_whole(DCM_Rows, 0, "(0028,0010): 0; expected 1 to 8192");
  expect_whole(DCM_Rows, 65535, "(0028,0010): 65535; expected 1 to 8192");
  expect_whole(DCM_Columns, 8192, "pixel data of 6144 bytes; expected");
  expect_text(DCM_NumberOfFrames, "-1", "(0028,0008): -1; expected 1 to 100000");
  expect_text(DCM_NumberOfFrames, "2147483647", "(0028,0008): 2147483647; expected 1 to 100000");
  expect_text(DCM_NumberOfFrames, "5",
              "pixel data of 6144 bytes; expected 7680 for 5 frames of 24 x 32");
  expect_text(DCM_NumberOfFrames, "many", "(0028,0008): not a number");
  expect(
      [](MadeDicom& made) {
        made.whole(DCM_Rows, 8192).whole(DCM_Columns, 8192).text(DCM_NumberOfFrames, "100000");
      },
      "expected at most 1073741824 voxels");
  expect([](MadeDicom& made) { made.remove(DCM_Rows); }, "(0028,0010): missing");
  expect([](MadeDicom& made) { made.remove(DCM_PixelData); }, "no pixel data");
}

TEST_F(DicomMalformedTest, Bits) {
  expect_whole(DCM_BitsAllocated, 12, "Bits Allocated (0028,0100) 12");
  expect_whole(DCM_BitsAllocated, 0, "(0028,0100): 0; expected 1 to 64");
  expect_whole(DCM_BitsStored, 17, "(0028,0101): 17; expected 1 to 16");
  expect_whole(DCM_BitsStored, 0, "(0028,0101): 0; expected 1 to 16");
  expect_whole(DCM_HighBit, 3, "High Bit (0028,0102) 3 with 16 bits stored");
  expect_whole(DCM_PixelRepresentation, 7, "(0028,0103): 7; expected 0 to 1");
  expect_whole(DCM_SamplesPerPixel, 0, "(0028,0002): 0; expected 1 to 4");
  expect([](MadeDicom& made) { made.remove(DCM_BitsAllocated); }, "(0028,0100): missing");
}

TEST_F(DicomMalformedTest, Places) {
  const auto in_detector = [&](const DcmTagKey& tag, const std::string& value,
                               const std::string& part) {
    expect(
        [&](MadeDicom& made) {
          MadeDicom::put_text(MadeDicom::in(made.item(), DCM_DetectorInformationSequence), tag,
                              value);
        },
        part);
  };
  in_detector(DCM_ImagePositionPatient, "nan\\0\\0", "(0020,0032): not a number");
  in_detector(DCM_ImagePositionPatient, "1\\inf\\0", "(0020,0032): not a number");
  in_detector(DCM_ImagePositionPatient, "1\\2", "Image Position (0020,0032) of 2 numbers");
  in_detector(DCM_ImagePositionPatient, "1e9\\2\\3",
              "Image Position (0020,0032) 1000000000 mm away");
  in_detector(DCM_ImageOrientationPatient, "nan\\0\\0\\0\\1\\0", "(0020,0037): not a number");
  in_detector(DCM_ImageOrientationPatient, "1\\0\\0", "Image Orientation (0020,0037) of 3 numbers");
  in_detector(DCM_ImageOrientationPatient, "1\\0\\0\\1\\0\\0", "not two perpendicular directions");
  in_detector(DCM_ImageOrientationPatient, "0\\0\\0\\0\\0\\0", "not two perpendicular directions");
  in_detector(DCM_ImageOrientationPatient, "2\\0\\0\\0\\1\\0", "not two perpendicular directions");
  expect_text(DCM_PixelSpacing, "0\\2", "Pixel Spacing (0028,0030) 0 mm");
  expect_text(DCM_PixelSpacing, "-2\\2", "Pixel Spacing (0028,0030) -2 mm");
  expect_text(DCM_PixelSpacing, "2", "Pixel Spacing (0028,0030) of 1 numbers");
  expect_text(DCM_SpacingBetweenSlices, "nan", "(0018,0088): not a number");
  expect_text(DCM_SpacingBetweenSlices, "1e300", "Spacing Between Slices (0018,0088) 1e+300 mm");
  expect_text(DCM_RescaleSlope, "nan", "(0028,1053): not a number");
  std::string many = "1";
  for (int n = 0; n < 20000; ++n) many += "\\1";
  expect_text(DCM_RescaleSlope, many, "(0028,1053): 20001 values; expected at most 4096");
  expect_text(DCM_RescaleSlope, "1\\2", "2 rescale slopes (0028,1053) for 4 frames");
  expect(
      [](MadeDicom& made) {
        made.wholes(DCM_SliceVector, {1, 2});
      },
      "Slice Vector (0054,0080) of 2 numbers");
  expect(
      [](MadeDicom& made) {
        made.wholes(DCM_SliceVector, {1, 2, 2, 4});
      },
      "2 slices at one place");
  expect(
      [](MadeDicom& made) {
        made.wholes(DCM_SliceVector, {0, 1, 2, 3});
      },
      "Slice Vector (0054,0080) holds 0");
}

TEST_F(DicomMalformedTest, DeepNesting) {
  const auto whole = sound_bytes();
  const auto marked = whole.substr(0, whole.find(std::string("\x08\x00\x08\x00", 4)));
  for (bool open : {true, false}) {
    std::string nested;
    for (int depth = 0; depth < 20000; ++depth) {
      const auto inner = static_cast<uint32_t>(nested.size());
      const std::string item = tag_bytes(0xfffe, 0xe000) + length_bytes(open ? 0xffffffff : inner) +
                               (open ? "" : nested);
      const std::string sequence = tag_bytes(0x0008, 0x1140) + std::string("SQ\0\0", 4) +
                                   length_bytes(open ? 0xffffffff : inner + 8) + item;
      nested = open ? nested + sequence : sequence;
      if (!open && depth > 2000) break;
    }
    expect_bytes(marked + nested, "sequences nested more than 32 deep");
  }
  // implicit VR: by the dictionary's word, and in private elements
  const auto implicit = sound_bytes(EXS_LittleEndianImplicit);
  const auto begin = implicit.substr(0, implicit.find(std::string("\x08\x00\x08\x00", 4)));
  for (int group : {0x0008, 0x0009}) {
    std::string nested;
    for (int depth = 0; depth < 2000; ++depth) {
      const auto inner = static_cast<uint32_t>(nested.size());
      nested = tag_bytes(group, 0x1140) + length_bytes(inner + 8) + tag_bytes(0xfffe, 0xe000) +
               length_bytes(inner) + nested;
    }
    expect_bytes(begin + nested, "sequences nested more than 32 deep");
  }
}

TEST_F(DicomMalformedTest, Lengths) {
  const auto whole = sound_bytes();
  auto bytes = whole;
  const size_t rows = whole.find(tag_bytes(0x0028, 0x0010) + "US");
  bytes[rows + 6] = 99, bytes[rows + 7] = 99;
  expect_bytes(bytes, "(0028,0010) claims 25443 bytes");
  bytes = whole;
  bytes[rows + 4] = '?', bytes[rows + 5] = '?';
  expect_bytes(bytes, "(0028,0010) at byte");
  bytes = whole;
  const size_t pixels = whole.find(tag_bytes(0x7fe0, 0x0010) + "OW");
  bytes.replace(pixels + 8, 4, length_bytes(0xfffffffe));
  expect_bytes(bytes, "(7fe0,0010) claims 4294967294 bytes");
  bytes.replace(pixels + 8, 4, length_bytes(0xffffffff));
  expect_bytes(bytes, "where an item or a fragment of pixel data should begin");
  bytes = whole + tag_bytes(0xfffe, 0xe00d) + length_bytes(0);
  expect_bytes(bytes, "(fffe,e00d) at byte");
  expect_bytes(whole + whole.substr(pixels), "pixel data twice");
  expect_bytes(whole.substr(0, whole.find(tag_bytes(0x0008, 0x0008))),
               "ends after its file meta information");
}

TEST_F(DicomMalformedTest, WrongTransferSyntax) {
  const auto relabelled = [&](const char* from, const std::string& to) {
    auto bytes = sound_bytes();
    const std::string uid = from;
    bytes.replace(bytes.find(std::string(uid + '\0')), uid.size(), to);
    return bytes;
  };
  // as long as that of Explicit VR Little Endian
  expect_bytes(relabelled("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"), "file.dcm: ");
  expect_bytes(relabelled("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"),
               "pixel data are not in fragments although the Transfer Syntax is RLELossless");
  expect_bytes(relabelled("1.2.840.10008.1.2.1", std::string("1.2.840.10008.1.2\0\0", 19)),
               "file.dcm: ");
  expect_bytes(relabelled("1.2.840.10008.1.2.1", "1.2.840.113619.5.2."),
               "Transfer Syntax is private");
  expect_bytes(relabelled("1.2.840.10008.1.2.1", "9.9.999.99999.9.9.9"),
               "Transfer Syntax is private or unknown");
  expect_bytes(relabelled("1.2.840.10008.1.2.1", "not a uid not a uid"), "no Transfer Syntax UID");
}

/// `fragments` pieces of nothing much under the given syntax.
MadeDicom compressed(const std::vector<std::string>& fragments, const std::string& uid,
                     std::string& bytes) {
  auto made = sound();
  TemporaryFolder folder;
  made.save(folder / "a.dcm");
  bytes = bytes_of(folder / "a.dcm");
  std::string padded = uid;
  if (padded.size() % 2 == 1) padded += '\0';
  const std::string old = std::string("1.2.840.10008.1.2.1") + '\0';
  const size_t place = bytes.find(old);
  bytes.replace(place, old.size(), padded);
  bytes[place - 2] = static_cast<char>(padded.size());
  bytes.resize(bytes.find(tag_bytes(0x7fe0, 0x0010) + "OW"));
  bytes += tag_bytes(0x7fe0, 0x0010) + std::string("OB\0\0", 4) + length_bytes(0xffffffff);
  bytes += tag_bytes(0xfffe, 0xe000) + length_bytes(0);
  for (const auto& fragment : fragments)
    bytes +=
        tag_bytes(0xfffe, 0xe000) + length_bytes(static_cast<uint32_t>(fragment.size())) + fragment;
  bytes += tag_bytes(0xfffe, 0xe0dd) + length_bytes(0);
  return made;
}

TEST_F(DicomMalformedTest, Compressed) {
  const auto expect_fragments = [&](const std::vector<std::string>& fragments,
                                    const std::string& uid, const std::string& part) {
    std::string bytes;
    compressed(fragments, uid, bytes);
    expect_bytes(bytes, part);
  };
  const std::string rle = "1.2.840.10008.1.2.5", jpeg = "1.2.840.10008.1.2.4.70";
  const std::string some(64, 'x');
  expect_fragments({}, rle, "compressed pixel data of 0 fragments");
  expect_fragments({some, some}, rle,
                   "compressed pixel data of 2 fragments; expected one or more for each of 4");
  expect_fragments({"", "", "", ""}, rle, "compressed pixel data of 0 bytes; expected at least 96");
  expect_fragments({some, some, some, some}, rle, "frame 1 of 4 cannot be decoded as RLELossless");
  expect_fragments({some, some, some, some}, jpeg, "compressed pixel data are not JPEG");
  const auto start = [](int bits, int rows, int columns) {
    return std::string("\xff\xd8\xff\xc3\x00\x0b", 6) +
           std::string{static_cast<char>(bits), static_cast<char>(rows >> 8),
                       static_cast<char>(rows), static_cast<char>(columns >> 8),
                       static_cast<char>(columns)} +
           std::string("\x01\x01\x11\x00\x00", 5);
  };
  const std::vector<std::string> large(4, start(16, 60000, 60000));
  expect_fragments(large, jpeg,
                   "compressed picture of 60000 x 60000 pixels, Rows and Columns say 24 x 32");
  expect_fragments(std::vector<std::string>(4, start(8, 24, 32)), jpeg,
                   "compressed picture of 8 bits");
  expect_fragments(std::vector<std::string>(4, start(16, 24, 32)), jpeg,
                   "frame 1 of 4 cannot be decoded");
  for (const char* unread :
       {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.100"})
    expect_fragments({some, some, some, some}, unread, "which is not read; convert the file");
  expect_fragments({some}, "1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian");
}

TEST_F(DicomMalformedTest, CompressedAndCut) {
  DcmRLEEncoderRegistration::registerCodecs();
  DJEncoderRegistration::registerCodecs();
  for (const auto syntax : {EXS_RLELossless, EXS_JPEGProcess14SV1}) {
    const auto whole = sound_bytes(syntax);
    const size_t pixels = whole.find(tag_bytes(0x7fe0, 0x0010) + "OB");
    for (size_t cut = pixels; cut < whole.size(); cut += 97) {
      put_bytes(path(), whole.substr(0, cut));
      ASSERT_NE(read(), "") << cut;
    }
    // noise in the coded bytes: an error or other numbers, never a crash
    for (size_t seed = 0; seed < 60; ++seed) {
      auto bytes = whole;
      for (size_t n = 0; n < 8; ++n) {
        const size_t place =
            pixels + 60 + (seed * 7919 + n * 104729) % (whole.size() - pixels - 68);
        bytes[place] = static_cast<char>(seed * 31 + n * 17);
      }
      put_bytes(path(), bytes);
      read();
    }
  }
}

TEST_F(DicomMalformedTest, NoiseInTheHeader) {
  const auto whole = sound_bytes();
  const size_t pixels = whole.size() - 32 * 24 * 4 * 2;
  for (size_t seed = 0; seed < 1500; ++seed) {
    auto bytes = whole;
    for (size_t n = 0; n <= seed % 3; ++n)
      bytes[132 + (seed * 7919 + n * 104729) % (pixels - 132)] =
          static_cast<char>(seed * 131 + n * 29);
    put_bytes(path(), bytes);
    for (const auto& series : find_dicom_series(folder_.path(), nullptr))
      refusal([&] { read_dicom_series(series); });
  }
}

TEST_F(DicomMalformedTest, EnhancedFrames) {
  const auto grid = small_grid();
  const auto values = made_values(grid, 0, 4);
  const auto expect_enhanced = [&](const std::function<void(MadeDicom&)>& change,
                                   const std::string& part) {
    auto made = made_enhanced("MR", grid, values, {1, 1, 1, 1});
    change(made);
    made.save(path());
    expect_read(part);
  };
  expect_enhanced(
      [](MadeDicom& made) { MadeDicom::in(made.item(), DCM_PerFrameFunctionalGroupsSequence, 4); },
      "(5200,9230) of 5 items; expected one for each of 4 frames");
  expect_enhanced([](MadeDicom& made) { made.remove(DCM_SharedFunctionalGroupsSequence); },
                  "no Plane Orientation Sequence");
  expect_enhanced(
      [](MadeDicom& made) {
        MadeDicom::in(made.item(), DCM_PerFrameFunctionalGroupsSequence, 2)
            .findAndDeleteElement(DCM_PlanePositionSequence);
      },
      "no Plane Position Sequence");
  expect_enhanced([](MadeDicom& made) { made.remove(DCM_PerFrameFunctionalGroupsSequence); },
                  "4 frames without Per-frame Functional Groups");
}

TEST_F(DicomMalformedTest, ABrokenSliceSpoilsItsSeries) {
  const auto grid = small_grid();
  for (int64_t k = 0; k < 4; ++k)
    made_slice("MR", grid, k, made_values(grid, k, 1)).save(folder_ / fmt::format("{}.dcm", k));
  const auto bytes = bytes_of(folder_ / "3.dcm");
  put_bytes(folder_ / "3.dcm", bytes.substr(0, bytes.size() - 100));
  const auto found = find_dicom_series(folder_.path(), nullptr);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].refusal.find("3.dcm: (7fe0,0010) claims"), std::string::npos)
      << found[0].refusal;
}

/// 8192 x 8192 x 16 voxels of 16 bits claimed by a file of 9 kB: 2 GiB.
TEST_F(DicomMalformedTest, AClaimCostsNothing) {
  sound()
      .whole(DCM_Rows, 8192)
      .whole(DCM_Columns, 8192)
      .text(DCM_NumberOfFrames, "16")
      .save(path());
  read();  // libraries and dictionary are loaded once
  const pid_t child = ::fork();
  if (child == 0) {
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    const auto begin = std::chrono::steady_clock::now();
    const bool refused = !read().empty();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    ::getrusage(RUSAGE_SELF, &after);
    const bool small = after.ru_maxrss - before.ru_maxrss < 64 * 1024;
    ::_exit(refused && small && took.count() < 0.05 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace scintigen
