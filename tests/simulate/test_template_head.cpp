// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/nifti.h"
#include "core/random.h"
#include "core/temporary_folder.h"
#include "simulate/colin.h"
#include "simulate/tissue_classes.h"

namespace scintigen {
namespace {

TEST(TissueClasses, FindsThreePlantedClasses) {
  Random random(3, "tissue");
  std::vector<float> brain;
  const double means[3] = {40, 85, 112};
  const int counts[3] = {20000, 60000, 50000};
  for (int c = 0; c < 3; ++c)
    for (int n = 0; n < counts[c]; ++n)
      brain.push_back(static_cast<float>(std::max(1.0, means[c] + 6 * random.normal())));
  const auto found = fit_tissue_classes(brain.data(), static_cast<int64_t>(brain.size()), "x");
  EXPECT_NEAR(found.csf, 40, 1);
  EXPECT_NEAR(found.gray, 85, 1);
  EXPECT_NEAR(found.white, 112, 1);
  const auto half = found.fractions((found.gray + found.white) / 2);
  EXPECT_NEAR(half[0], 0, 1e-6);
  EXPECT_NEAR(half[1], 0.5, 1e-6);
  EXPECT_NEAR(half[2], 0.5, 1e-6);
  EXPECT_EQ(found.fractions(0)[0], 1);
  EXPECT_EQ(found.fractions(1000)[2], 1);
}

TEST(TissueClasses, RefusesWhatIsNoBrain) {
  const std::vector<float> few(500, 1.0F), flat(20000, 7.0F);
  EXPECT_REFUSED(fit_tissue_classes(few.data(), 500, "b.nii"), "b.nii: 500 voxels above 0");
  EXPECT_REFUSED(fit_tissue_classes(flat.data(), 20000, "b.nii"), "do not stand apart");
}

TEST(TemplateHead, ColinHasTheAnatomyOfAHead) {
  const auto& head = colin();
  double gray = 0, white = 0, csf = 0, stem = 0;
  std::vector<double> across(head.regions.size()), size(head.regions.size());
  for (size_t v = 0; v < head.voxel.size(); ++v) {
    const auto& voxel = head.voxel[v];
    const double all = voxel.gray + voxel.white + voxel.csf + voxel.skull + voxel.scalp;
    ASSERT_LE(all, 1.001);
    if (head.region[v] == 0) continue;
    gray += voxel.gray, white += voxel.white, csf += voxel.csf;
    const auto i = static_cast<double>(v % static_cast<size_t>(head.grid.ni));
    across[head.region[v]] += transform_point(head.grid.voxel_to_world, {i, 0, 0})[0];
    size[head.region[v]] += 1;
    stem += head.regions[head.region[v]].structure == Structure::kBrainStem;
  }
  // Millilitres of a young man: gray 600 to 900, white 450 to 700 (voxels are 1 mm).
  EXPECT_GT(gray / 1e3, 600);
  EXPECT_LT(gray / 1e3, 950);
  EXPECT_GT(white / 1e3, 450);
  EXPECT_LT(white / 1e3, 700);
  EXPECT_GT(stem / 1e3, 10);
  EXPECT_LT(stem / 1e3, 45);
  for (size_t r = 1; r < head.regions.size(); ++r) {
    const auto side = head.regions[r].side;
    const double x = across[r] / size[r];
    EXPECT_TRUE(side == Side::kMiddle || (side == Side::kLeft ? x < -1 : x > 1))
        << head.regions[r].name << " at x = " << x;
  }
  // Known places: left putamen, right calcarine, right cerebellum (MNI).
  EXPECT_EQ(head.regions[head.region_at({-26, 6, 2})].structure, Structure::kPutamen);
  EXPECT_EQ(head.regions[head.region_at({10, -82, 8})].structure, Structure::kVisual);
  EXPECT_EQ(head.regions[head.region_at({25, -65, -35})].structure, Structure::kCerebellum);
  EXPECT_EQ(head.region_at({0, 0, 200}), 0U);
  // The pull points to the ventricles from outside them, and is 1 where it is strongest.
  double longest = 0;
  for (int64_t p = 0; p < head.ventricle_pull.points(); ++p) {
    double squares = 0;
    for (int64_t c = 0; c < 3; ++c) squares += std::pow(head.ventricle_pull.component(c)[p], 2);
    longest = std::max(longest, std::sqrt(squares));
  }
  EXPECT_NEAR(longest, 1, 1e-5);
  float pull[3];
  head.ventricle_pull.read({-30, 0, 22}, pull);
  EXPECT_GT(pull[0], 0);
  head.ventricle_pull.read({30, 0, 22}, pull);
  EXPECT_LT(pull[0], 0);
}

TEST(TemplateHead, RefusesFilesThatDoNotBelongTogether) {
  const TemporaryFolder folder;
  TemplateSettings settings;
  settings.template_brain = (folder / "none.nii").string();
  EXPECT_REFUSED(load_template(settings), "none.nii");
  Volume small;
  small.voxels = torch::ones({4, 4, 4});
  small.voxel_to_world = identity_affine();
  write_nifti(folder / "small.nii", small, "");
  settings.template_brain = (folder / "small.nii").string();
  EXPECT_REFUSED(load_template(settings), "small.nii");
  settings.template_head = settings.template_brain;
  small.voxel_to_world[0][0] = 2;
  write_nifti(folder / "small.nii", small, "");
  EXPECT_REFUSED(load_template(settings), "voxels of 2 mm; expected 1 mm");
  small.voxel_to_world[0][0] = 1;
  small.voxels[1][1][1] = std::nan("");
  write_nifti(folder / "small.nii", small, "");
  EXPECT_REFUSED(load_template(settings), "not finite");
  settings = {};
  settings.template_names = put_bytes(folder / "names.txt", "1 Precentral_L 2001\n").string();
  EXPECT_REFUSED(load_template(settings), "has no name in");
  settings.template_names =
      put_bytes(folder / "gap.txt", "1 Precentral_L 2001\n116 Vermis_10 9170\n").string();
  EXPECT_REFUSED(load_template(settings), "has no name in");
  settings.template_names = put_bytes(folder / "empty.txt", "\n").string();
  EXPECT_REFUSED(load_template(settings), "expected the names of the labels");
}

}  // namespace
}  // namespace scintigen
