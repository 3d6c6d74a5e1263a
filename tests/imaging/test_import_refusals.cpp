// SPDX-License-Identifier: Apache-2.0
// Bad input to import: each one line, in bounded memory and time, nothing written that looks like a
// cohort.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>

#include "imaging/import_fixture.h"

namespace scintigen {
namespace {

class ImportRefusals : public ImportTest {
 protected:
  ImportRefusals() { keep_only_sub_1(); }
  void keep_only_sub_1() {
    auto text = table_text();
    write_text("slices.tsv", text.substr(0, text.find("sub-2")));
  }
  /// The one line with which the import of the one patient ends.
  std::string line() {
    const auto text = refusal([&] { import(); });
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "cohort/cohort.json"));
    return text;
  }
  void put_volume(const std::string& bytes) { put_bytes(volume_path(0), bytes); }
};

#define EXPECT_LINE(part)                                    \
  do {                                                       \
    const auto text_ = line();                               \
    EXPECT_NE(text_.find(part), std::string::npos) << text_; \
  } while (false)

TEST_F(ImportRefusals, TheTableItself) {
  settings_.table = (folder_ / "missing.tsv").string();
  EXPECT_LINE("missing.tsv");
  settings_.table = folder_.path().string();
  EXPECT_LINE("table");
  settings_.table = (folder_ / "slices.tsv").string();
  write_text("slices.tsv", "");
  EXPECT_LINE("slices.tsv");
  write_text("slices.tsv", "participant_id\tslice\n");
  EXPECT_LINE("no rows below the header");
  write_text("slices.tsv", std::string("participant_id\tslice\nsub-1\t\0\1\2\n", 30));
  EXPECT_LINE("slices.tsv");
  write_text("slices.tsv", "participant_id\tslice\nsub-1\t1\tmore\n");
  EXPECT_LINE("expected 2 cells as in the header, found 3");
  write_text("slices.tsv", "participant_id\tslice\tslice\nsub-1\t1\t1\n");
  EXPECT_LINE("slice");
  write_text("slices.tsv", "participant_id\tslices\nsub-1\t1\n");
  EXPECT_LINE("slices");
  write_text("slices.tsv", "participant\tslice\nsub-1\t1\n");
  EXPECT_LINE("participant_id");
  write_text("slices.tsv", "participant_id\tslice\tscale\nsub-1\t1\t2\n");
  EXPECT_LINE("column \"scale\" is one that import writes; rename or remove it");
}

TEST_F(ImportRefusals, RowsOfTheTable) {
  for (const char* slice : {"one", "1.5", "", "n/a", "99999999999999999999"}) {
    write_text("slices.tsv", std::string("participant_id\tslice\nsub-1\t") + slice + "\n");
    EXPECT_LINE("slice");
  }
  write_text("slices.tsv", "participant_id\tslice\nsub-1\t-1\n");
  EXPECT_LINE("row 2: slice is -1; expected 0 or more (the first slice is 0)");
  write_text("slices.tsv", "participant_id\tslice\nsub-1\t1\nsub-1\t2\nsub-1\t1\n");
  EXPECT_LINE("row 4: participant sub-1, slice 1 stands in row 2 already");
  write_text("slices.tsv", "participant_id\tslice\nsub-1\t6\n");
  EXPECT_LINE("slice 6 asked for; there are 0 to 5");
  for (const char* id : {"../../x", "a/b", "a\\b", "..", ".", "n/a", "", "a\x1b[31m"}) {
    write_text("slices.tsv", std::string("participant_id\tslice\n") + id + "\t1\n");
    EXPECT_LINE("participant_id is \"");
  }
}

TEST_F(ImportRefusals, WhereAndPatterns) {
  settings_.where = "levle=low";
  EXPECT_LINE("level");
  settings_.where = "level=lwo";
  EXPECT_LINE("no row has level=lwo; there are low, high; did you mean low?");
  settings_.where = "low";
  EXPECT_LINE("expected column=value");
  settings_.where.clear();
  settings_.position_column = "place";
  EXPECT_LINE("place");
  settings_.position_column.clear();
  settings_.volumes = "{participant}/spect.nii.gz";
  EXPECT_LINE("participant_id");
  settings_.volumes = "{participant_id/spect.nii.gz";
  EXPECT_LINE("a brace is not closed");
  settings_.volumes = "spect.nii.gz";
  EXPECT_LINE("expected a column in braces, such as {participant_id}");
  settings_.volumes.clear();
  EXPECT_LINE("nothing says where the volumes are; give --volumes");
  write_text("slices.tsv",
             "participant_id\tslice\tfile\nsub-1\t1\tsub-1/sub-1_spect.nii.gz\nsub-2\t2\tsub-1/"
             "sub-1_spect.nii.gz\n");
  EXPECT_LINE("is the volume of participant sub-2 and of sub-1 (row 2); one volume, one patient");
  write_text("slices.tsv", "participant_id\tslice\tfile\nsub-1\t1\tn/a\n");
  EXPECT_LINE("row 2: no file");
  settings_.volumes = "{session}/spect.nii.gz";
  write_text("slices.tsv", "participant_id\tsession\tslice\nsub-1\t../..\t1\n");
  EXPECT_LINE("session is \"../..\"; expected a name without / or \\");
}

TEST_F(ImportRefusals, FilesThatAreNotVolumes) {
  std::filesystem::remove(volume_path(0));
  EXPECT_LINE("sub-1_spect.nii.gz: no such file");
  std::filesystem::create_directory(volume_path(0));
  EXPECT_LINE("folder");
  std::filesystem::remove(volume_path(0));
  put_volume("");
  EXPECT_LINE("sub-1_spect.nii.gz");
  put_volume("<!DOCTYPE html><html><body>404</body></html>");
  EXPECT_LINE("looks like a web page");
  put_volume("\x89PNG\r\n\x1a\nrest of a picture");
  EXPECT_LINE("PNG");
  put_volume(std::string(128, '\0') + "DICM" + std::string(400, '\0'));
  EXPECT_LINE("DICOM");
  const gzFile zipped = gzopen(volume_path(0).c_str(), "wb");
  gzputs(zipped, "only a text, compressed");
  gzclose(zipped);
  EXPECT_LINE("not NIfTI");
}

TEST_F(ImportRefusals, DamagedVolumes) {
  const auto whole = bytes_of(volume_path(0));
  put_volume(whole.substr(0, whole.size() / 2));
  EXPECT_LINE("cut short");
  put_volume(import_volume(0).bytes().substr(0, 1000));  // not compressed, whatever the name
  EXPECT_LINE("cut short");
  put_volume(import_volume(0).bytes().substr(0, 200));
  EXPECT_LINE("cut short");
  auto four = import_volume(0);
  four.shape = {12, 12, 3, 2};
  put_volume(four.bytes());
  EXPECT_LINE("volume is 4-D [12,12,3,2]; expected 3-D; extract one frame first");
  auto complex = import_volume(0);
  complex.datatype = 32;
  put_volume(complex.header());
  EXPECT_LINE("complex");
  auto coronal = import_volume(0);
  coronal.set_sform(signed_permutation({0, 2, 1}, 0, {4, 4, 4}, {0, 0, 0}));
  put_volume(coronal.bytes());
  EXPECT_LINE(
      "slices are coronal (the third voxel axis runs anterior-posterior); expected axial; "
      "reorient");
  auto singular = import_volume(0);
  singular.sform = Affine{};
  put_volume(singular.bytes());
  EXPECT_LINE("its orientation matrix is not usable");
}

TEST_F(ImportRefusals, SlicesWithoutAPicture) {
  const auto with_slices = [&](double value) {
    auto file = import_volume(0);
    std::fill(file.values.begin(), file.values.end(), value);
    put_volume(file.bytes());
  };
  with_slices(0);
  EXPECT_LINE("slice 1 is empty (no value above 0)");
  EXPECT_LINE("none of 4 rows could be imported, see ");
  with_slices(7);
  EXPECT_LINE("slice 1 is constant (every value is 7)");
  with_slices(std::nan(""));
  EXPECT_LINE("slice 1 holds 144 non-finite values, the first at voxel [0,0,1]");
}

/// A header may claim what it likes: refused at once, without the memory it asks for.
TEST_F(ImportRefusals, AHugeHeaderCostsNothing) {
  const auto resident_KiB = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  import();  // what any import needs is needed now
  std::filesystem::remove_all(folder_ / "cohort");
  for (const int version : {1, 2}) {
    auto file = import_volume(0);
    file.version = version;
    file.shape = {32767, 32767, 32767};
    put_volume(file.header());
    const auto before = resident_KiB();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_LINE("32767");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(resident_KiB() - before, 16 * 1024);
    EXPECT_LT(took.count(), 2);
  }
  // so does a table
  settings_.matrix = 1024;
  std::string text = "participant_id\tslice\n";
  for (int i = 0; i < 3000; ++i) text += "sub-1\t" + std::to_string(i) + "\n";
  write_text("slices.tsv", text);
  EXPECT_LINE("need more than 16 GiB; use a smaller --matrix or split the table");
}

TEST_F(ImportRefusals, OutputFolders) {
  write_text("file", "");
  settings_.out = (folder_ / "file").string();
  EXPECT_REFUSED(import(), "file");
  settings_.out = folder_.path().string();  // holds the table and the volumes
  EXPECT_REFUSED(import(), "which import did not write; give an empty or new folder");
  settings_.overwrite = true;  // does not help there
  EXPECT_REFUSED(import(), "which import did not write; give an empty or new folder");
  if (geteuid() != 0) {  // root may write anywhere
    std::filesystem::create_directory(folder_ / "closed");
    chmod((folder_ / "closed").c_str(), 0500);
    settings_.out = (folder_ / "closed/cohort").string();
    EXPECT_REFUSED(import(), "cannot be made");
  }
  settings_.out = "/proc/scintigen";
  EXPECT_REFUSED(import(), "--out /proc/scintigen: cannot be made: ");
}

}  // namespace
}  // namespace scintigen
