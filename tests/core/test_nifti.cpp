// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <ctime>
#include <limits>

#include "core/nifti.h"
#include "core/random.h"
#include "core/temporary_folder.h"

using namespace scintigen;

namespace {

const std::string kGolden = SCINTIGEN_TEST_GOLDEN "/core/";

template <class Number>
void put(std::string& bytes, size_t place, Number value) {
  std::memcpy(bytes.data() + place, &value, sizeof value);
}

/// A good header with `shape` and datatype int16, without voxels.
std::string header_of(const std::vector<int16_t>& shape) {
  std::string bytes(352, '\0');
  put<int32_t>(bytes, 0, 348);
  put<int16_t>(bytes, 40, static_cast<int16_t>(shape.size()));
  for (size_t i = 0; i < shape.size(); ++i) put<int16_t>(bytes, 42 + 2 * i, shape[i]);
  put<int16_t>(bytes, 70, 4);
  put<int16_t>(bytes, 72, 16);
  for (size_t i = 1; i < 8; ++i) put<float>(bytes, 76 + 4 * i, 2);
  put<float>(bytes, 108, 352);
  put<float>(bytes, 112, 1);
  std::memcpy(bytes.data() + 344, "n+1", 4);
  return bytes;
}

std::string zipped(const std::string& bytes) {
  TemporaryFolder folder;
  gzFile file = gzopen((folder / "x").c_str(), "wb1");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return bytes_of(folder / "x");
}

void expect_refused(const std::string& bytes, const std::string& part,
                    const std::string& name = "x.nii") {
  TemporaryFolder folder;
  const auto path = put_bytes(folder / name, bytes);
  EXPECT_REFUSED(check_nifti(path), part);
}

/// `header` with `value` at `place`.
template <class Number>
std::string with(std::string header, size_t place, Number value) {
  put<Number>(header, place, value);
  return header + std::string(24 * 2, '\0');
}

/// 3 x 4 x 5 voxels (i, j, k), left-handed and turned: tools/make_golden_core.py, oblique_affine().
Volume oblique_volume() {
  const double a = 0.3, b = -0.2;
  Volume volume;
  volume.voxels = torch::arange(60, torch::kFloat).view({5, 4, 3});
  volume.voxel_to_world = {
      {{std::cos(a) * -2, -std::sin(a) * std::cos(b) * 3, std::sin(a) * std::sin(b) * 4, 90.5},
       {std::sin(a) * -2, std::cos(a) * std::cos(b) * 3, -std::cos(a) * std::sin(b) * 4, -126.25},
       {0, std::sin(b) * 3, std::cos(b) * 4, -72},
       {0, 0, 0, 1}}};
  return volume;
}

}  // namespace

TEST(Nifti, AcceptsWhatNibabelWrites) {  // tools/make_golden_core.py
  const NiftiHeader one = check_nifti(kGolden + "version_1.nii.gz");
  EXPECT_EQ(one.version, 1);
  EXPECT_EQ(one.shape, (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(one.datatype, 4);
  EXPECT_EQ(one.voxel_bytes, 2);
  EXPECT_EQ(one.data_bytes, 120);
  EXPECT_FALSE(one.swapped);
  const NiftiHeader two = check_nifti(kGolden + "version_2.nii");
  EXPECT_EQ(two.version, 2);
  EXPECT_EQ(two.shape, (std::vector<int64_t>{3, 4, 5, 2}));
  EXPECT_EQ(two.data_bytes, 480);
  const NiftiHeader big = check_nifti(kGolden + "big_endian.nii");
  EXPECT_TRUE(big.swapped);
  EXPECT_EQ(big.shape, (std::vector<int64_t>{3, 4, 5}));  // [3,4,5,1]
  EXPECT_EQ(big.datatype, 512);
}

TEST(Nifti, WritesWhatNibabelWouldWrite) {
  TemporaryFolder folder;
  write_nifti(folder / "new/x.nii", oblique_volume(), "synthetic, scintigen", 2);
  const std::string ours = bytes_of(folder / "new/x.nii"),
                    golden = bytes_of(kGolden + "oblique.nii");
  ASSERT_EQ(ours.size(), golden.size());
  // Quaternion and sform are floats found another way; all else is equal byte for byte.
  for (size_t place = 256; place < 328; place += 4) {
    float a = 0, b = 0;
    std::memcpy(&a, ours.data() + place, 4);
    std::memcpy(&b, golden.data() + place, 4);
    EXPECT_NEAR(a, b, 2e-7 * std::max(1.0f, std::abs(b))) << place;
  }
  EXPECT_EQ(ours.substr(0, 256), golden.substr(0, 256));
  EXPECT_EQ(ours.substr(328), golden.substr(328));
}

TEST(Nifti, GzipHoldsTheSameAndIsRepeatable) {
  TemporaryFolder folder;
  Volume volume = oblique_volume();
  volume.voxels =
      Random(1, "voxels").normal_tensor({40, 50, 60}).permute({2, 1, 0});  // not contiguous
  write_nifti(folder / "x.nii", volume, "");
  write_nifti(folder / "x.nii.gz", volume, "");
  write_nifti(folder / "y.nii.gz", volume, "");
  EXPECT_EQ(bytes_of(folder / "x.nii.gz"), bytes_of(folder / "y.nii.gz"));
  const std::string plain = bytes_of(folder / "x.nii");
  std::string unzipped(plain.size() + 1, '\0');
  gzFile file = gzopen((folder / "x.nii.gz").c_str(), "rb");
  EXPECT_EQ(gzread(file, unzipped.data(), static_cast<unsigned>(unzipped.size())),
            static_cast<int>(plain.size()));
  gzclose(file);
  unzipped.resize(plain.size());
  EXPECT_TRUE(unzipped == plain);
  for (const char* name : {"x.nii", "x.nii.gz"}) {
    EXPECT_EQ(check_nifti(folder / name).shape, (std::vector<int64_t>{40, 50, 60}));
    EXPECT_EQ(check_nifti(folder / name).data_bytes, 480000);
  }
  const torch::Tensor contiguous = volume.voxels.contiguous();
  EXPECT_EQ(std::memcmp(plain.data() + 352, contiguous.data_ptr(), 480000), 0);
}

TEST(Nifti, FormsAgreeForAnyRotation) {
  TemporaryFolder folder;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed, "affine");
    Volume volume;
    volume.voxels = torch::zeros({1, 1, 1});
    const torch::Tensor noise = random.normal_tensor({3, 3}).to(torch::kDouble);
    const torch::Tensor turn = std::get<0>(at::linalg_qr(noise));
    double length[3];
    for (int j = 0; j < 3; ++j) length[j] = 0.5 + 5 * random.uniform();
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        volume.voxel_to_world[i][j] = turn[i][j].item<double>() * length[j];
    if (seed == 0)  // half a turn about x: the quaternion's first component is 0
      volume.voxel_to_world = {{{1, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, -1, 0}, {0, 0, 0, 1}}};
    write_nifti(folder / "x.nii", volume, "");
    const std::string bytes = bytes_of(folder / "x.nii");
    const auto at = [&](size_t place) {
      float value = 0;
      std::memcpy(&value, bytes.data() + place, 4);
      return static_cast<double>(value);
    };
    const double b = at(256), c = at(260), d = at(264);
    const double a = std::sqrt(std::max(0.0, 1 - b * b - c * c - d * d));
    const double r[3][3] = {
        {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
        {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
        {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        const double qform = r[i][j] * at(80 + 4 * j) * (j == 2 ? at(76) : 1);
        EXPECT_NEAR(qform, at(280 + 16 * i + 4 * j), 2e-3) << "seed " << seed;
      }
  }
}

TEST(Nifti, RefusesToWrite) {
  TemporaryFolder folder;
  const auto attempt = [&](const Volume& volume, const std::string& part) {
    EXPECT_REFUSED(write_nifti(folder / "x.nii", volume, ""), part);
    EXPECT_FALSE(std::filesystem::exists(folder / "x.nii"));
  };
  Volume volume = oblique_volume();
  volume.voxels = torch::zeros({5, 4});
  attempt(volume, "voxels are not float32 [D,H,W]");
  volume.voxels = torch::zeros({5, 4, 3}, torch::kDouble);
  attempt(volume, "voxels are not float32 [D,H,W]");
  volume.voxels = torch::zeros({1, 1, 40000});
  attempt(volume, "a side of 40000 voxels; NIfTI-1 holds at most 32767");
  volume = oblique_volume();
  volume.voxel_to_world[0][1] += 0.1;
  attempt(volume, "are not orthogonal");
  volume.voxel_to_world[0][1] = std::nan("");
  attempt(volume, "not finite");
  volume.voxel_to_world = {};
  attempt(volume, "voxel axis 1 has no length");
  EXPECT_REFUSED(write_nifti(folder / "x.img", oblique_volume(), ""),
                 "expected a name ending in .nii or .nii.gz");
  EXPECT_REFUSED(write_nifti(folder / "x.nii", oblique_volume(), std::string(80, 'x')),
                 "description of 80 bytes");
  EXPECT_REFUSED(write_nifti(folder / "x.nii", oblique_volume(), "", 0), "form code 0");
}

TEST(Nifti, SaysWhatItLooksLike) {
  TemporaryFolder folder;
  EXPECT_REFUSED(check_nifti(folder / "none.nii"), "none.nii: no such file");
  EXPECT_REFUSED(check_nifti(folder.path()), "a folder; expected a .nii or .nii.gz file");
  expect_refused("", "empty file; expected a .nii");
  const std::string page = "\xEF\xBB\xBF\n<!DOCTYPE html><html><body>404</body></html>";
  expect_refused(page, "x.nii: not NIfTI: looks like a web page");
  expect_refused(page, "looks like a web page", "x.nii.gz");
  expect_refused(zipped(page), "gzip of what looks like a web page", "x.nii.gz");
  expect_refused(std::string(128, '\0') + "DICM" + std::string(600, '\1'), "looks like DICOM",
                 "IM0001");
  expect_refused("\x89PNG\r\n\x1A\n", "looks like a PNG picture");
  expect_refused("PK\3\4", "looks like a ZIP archive");
  expect_refused(zipped(zipped("x")), "gzip inside gzip", "x.nii.gz");
  expect_refused(zipped(std::string(5000, '\7')), "gzip of something else", "x.nii.gz");
  expect_refused("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer");
  expect_refused("/annex/objects/SHA256E-s1--x.nii.gz", "git-annex pointer", "x.nii.gz");
  expect_refused("i,j,k\n1,2,3\n", "looks like a text file");
  expect_refused(std::string(1000, '\7'), "x.nii: not NIfTI; expected");
  expect_refused("\x5C\1", "not NIfTI");
}

TEST(Nifti, JudgesTheHeader) {
  const std::string good = header_of({2, 3, 4});
  const std::string voxels(48, '\0');
  expect_refused(good.substr(0, 200), "cut short inside its header; expected 348 bytes, found 200");
  expect_refused(with<uint32_t>(good, 344, 0x0031696E), "a .hdr/.img pair");
  expect_refused(with<uint32_t>(good, 344, 0), "ANALYZE 7.5");
  expect_refused(with<uint32_t>(good, 344, 0x12345678), "no NIfTI mark");
  expect_refused(with<int16_t>(good, 40, 0), "header says 0 dimensions; expected 1 to 7");
  expect_refused(with<int16_t>(good, 40, 8), "header says 8 dimensions");
  expect_refused(with<int16_t>(good, 44, 0),
                 "header claims 2 x 0 x 4 voxels; every side must be at least 1");
  expect_refused(with<int16_t>(good, 44, -3), "2 x -3 x 4");
  expect_refused(with<int16_t>(good, 70, 32), "voxels are complex (NIfTI datatype 32)");
  expect_refused(with<int16_t>(good, 70, 128), "voxels are RGB colour");
  expect_refused(with<int16_t>(good, 70, 1536), "128-bit float");
  expect_refused(with<int16_t>(good, 70, 3), "datatype 3 is not known");
  expect_refused(with<int16_t>(good, 72, 8), "header says 8 bits a voxel; datatype 4 has 16");
  const float nan = std::nanf(""), infinite = std::numeric_limits<float>::infinity();
  for (float offset : {0.0f, 100.0f, 352.5f, -352.0f, nan, infinite, 1e30f})
    expect_refused(with<float>(good, 108, offset), "header says voxels start at byte");
  for (float size : {0.0f, -2.0f, nan, infinite, 1e30f})
    expect_refused(with<float>(good, 84, size), "along axis 2; expected a size in mm above 0");
  expect_refused(with<float>(good, 112, nan), "expected finite numbers");
  expect_refused(with<float>(good, 116, infinite), "expected finite numbers");
  std::string form = good;
  put<int16_t>(form, 254, 1);
  expect_refused(with<float>(form, 300, nan), "sform (place in the world) is not finite");
  put<int16_t>(form, 252, 1);
  expect_refused(with<float>(form, 260, nan), "qform (place in the world) is not finite");
  expect_refused(good + voxels, "rename it to .nii", "scan");
  expect_refused(zipped(good + voxels), "rename it to .nii.gz", "x.nii");

  TemporaryFolder folder;
  EXPECT_NO_THROW(check_nifti(put_bytes(folder / "x.NII", good + voxels)));
  EXPECT_NO_THROW(check_nifti(put_bytes(folder / "plain.nii.gz", good + voxels)));
  EXPECT_NO_THROW(
      check_nifti(put_bytes(folder / "padded.nii", good + voxels + std::string(512, '\0'))));
  std::string flat = header_of({2, 3, 1, 1});
  put<float>(flat, 88, 0);  // one slice without a thickness
  EXPECT_EQ(check_nifti(put_bytes(folder / "flat.nii", flat + voxels)).shape,
            (std::vector<int64_t>{2, 3, 1}));
}

TEST(Nifti, CutShortOrDamagedData) {
  const std::string whole = header_of({20, 30, 40}) + [] {
    std::string voxels;
    for (int i = 0; i < 48000; ++i) voxels += static_cast<char>(Random(1, "v", i).integer(0, 255));
    return voxels;
  }();
  expect_refused(whole.substr(0, 10000), "x.nii: cut short; expected 48352 bytes, found 10000");
  const std::string packed = zipped(whole);
  expect_refused(packed.substr(0, packed.size() / 2), "cut short; expected 48352 bytes, found 2",
                 "x.nii.gz");
  expect_refused(packed.substr(0, packed.size() - 3), "not the end of the gzip data", "x.nii.gz");
  expect_refused(zipped(whole.substr(0, 48351)), "expected 48352 bytes, found 48351", "x.nii.gz");
  std::string sum = packed;
  sum[sum.size() - 6] ^= 1;  // the check sum at the end
  expect_refused(sum, "compressed data are damaged after", "x.nii.gz");
  std::string middle = packed;
  for (size_t i = 0; i < 40; ++i) middle[packed.size() / 2 + i] ^= static_cast<char>(0x55);
  TemporaryFolder folder;
  EXPECT_REFUSED(check_nifti(put_bytes(folder / "x.nii.gz", middle)),
                 "x.nii.gz: c");  // damaged or cut short
  for (size_t length = 1; length < packed.size(); length += packed.size() / 97 + 1)
    EXPECT_NE(
        refusal([&] { check_nifti(put_bytes(folder / "x.nii.gz", packed.substr(0, length))); }), "")
        << length;
}

TEST(Nifti, RefusesBombsByTheHeaderAloneInLittleMemory) {
  TemporaryFolder folder;
  const std::string zeros(64 << 20, '\0');
  const auto huge =
      put_bytes(folder / "huge.nii.gz", zipped(header_of({32767, 32767, 32767}) + zeros));
  const auto bomb = put_bytes(folder / "bomb.nii.gz", zipped(header_of({2, 2, 2}) + zeros));
  std::string two(544, '\0');
  put<int32_t>(two, 0, 540);
  std::memcpy(two.data() + 4, "n+2\0\r\n\x1A\n", 8);
  put<int16_t>(two, 12, 64);
  put<int16_t>(two, 14, 64);
  put<int64_t>(two, 16, 7);
  for (size_t i = 1; i < 8; ++i) put<int64_t>(two, 16 + 8 * i, int64_t{1} << 62);
  const auto overflow = put_bytes(folder / "overflow.nii", two);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const std::clock_t begun = std::clock();
  EXPECT_REFUSED(check_nifti(huge),
                 "header claims 32767 x 32767 x 32767 voxels of 2 bytes; expected at most "
                 "8589934592 bytes in all");
  EXPECT_REFUSED(check_nifti(overflow), "header claims 4611686018427387904 x");
  EXPECT_REFUSED(check_nifti(folder / "bomb.nii.gz"),
                 "its header describes 368 bytes, but at least");
  EXPECT_LT(static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC, 0.05);
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024);  // KiB
  EXPECT_REFUSED(check_nifti(kGolden + "oblique.nii", 239), "expected at most 239 bytes in all");
  EXPECT_NO_THROW(check_nifti(kGolden + "oblique.nii", 240));
}

TEST(Nifti, AnyDamageIsAnErrorOrAHeader) {
  TemporaryFolder folder;
  for (const char* name : {"version_1.nii.gz", "version_2.nii", "big_endian.nii"}) {
    const std::string whole = bytes_of(kGolden + name);
    for (uint64_t seed = 0; seed < 700; ++seed) {
      Random random(seed, name);
      std::string bytes = whole;
      for (int64_t i = random.integer(1, 4); i > 0; --i)
        bytes[static_cast<size_t>(random.integer(0, std::min<int64_t>(560, bytes.size()) - 1))] =
            static_cast<char>(random.integer(0, 255));
      try {
        check_nifti(put_bytes(folder / name, bytes));
      } catch (const Error&) {
      }  // anything else fails the test
    }
  }
}
