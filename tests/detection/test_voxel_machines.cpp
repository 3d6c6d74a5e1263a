// SPDX-License-Identifier: Apache-2.0
// Machines at every voxel against the plain encoder, patch by patch, and the batched machines.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "core/temporary_folder.h"
#include "detection/held_out_scores.h"
#include "detection/plane_features.h"
#include "detection/voxel_machines.h"

namespace scintigen {
namespace {

constexpr int64_t kPeople = 12, kDepth = 2, kHeight = 18, kWidth = 21;

/// Smooth images that people share, and each person's own departure from it.
std::vector<ScaledScans> people(int64_t count, int64_t modalities) {
  std::vector<ScaledScans> all;
  const auto common = Random(1, "common").uniform_tensor({kDepth, kHeight, kWidth});
  for (int64_t p = 0; p < count; ++p) {
    std::vector<torch::Tensor> scans;
    for (int64_t m = 0; m < modalities; ++m)
      scans.push_back(
          (50 * common + 10 * Random(static_cast<uint64_t>(p), "own", static_cast<uint64_t>(m))
                                  .normal_tensor({kDepth, kHeight, kWidth}))
              .contiguous());
    all.push_back(scale_scans(scans, 1, "person"));
  }
  return all;
}

torch::Tensor scaled(const ScaledScans& scans, int64_t plane) {
  std::vector<torch::Tensor> images;
  for (size_t m = 0; m < scans.voxels.size(); ++m)
    images.push_back(
        ((scans.voxels[m][plane] - scans.low[m]) / (scans.high[m] - scans.low[m])).clamp(0, 1));
  return torch::stack(images);
}

/// Latents [V,people,64] of the patches around voxels, by the plain encoder.
torch::Tensor plain_latents(PatchAutoencoder& network, const std::vector<ScaledScans>& all,
                            const torch::Tensor& voxel, int64_t plane) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> latents;
  for (const auto& person : all) {
    const auto image = torch::constant_pad_nd(scaled(person, plane), {7, 7, 7, 7});
    const auto patches = image.unfold(1, 15, 1).unfold(2, 15, 1).permute({1, 2, 0, 3, 4});
    const auto flat =
        patches.reshape({-1, image.size(0), 15, 15}).index_select(0, voxel.to(torch::kLong));
    latents.push_back(network->encode(flat));
  }
  return torch::stack(latents, 1);
}

torch::Tensor round_mask() {
  auto mask = torch::zeros({kHeight, kWidth}, torch::kBool);
  mask.slice(0, 2, 17).slice(1, 0, 20).fill_(true);
  mask[5][5] = false;
  return mask;
}

TEST(VoxelMachines, AreThoseOfThePatchesAroundEachVoxel) {
  for (const int64_t modalities : {1, 2}) {
    torch::manual_seed(2);
    PatchAutoencoder network(modalities);
    const DensePatchEncoder encoder(network);
    const auto controls = people(kPeople, modalities);
    const auto machines = fit_plane(encoder, controls, round_mask(), 1, {});
    auto patient = people(kPeople + 1, modalities).back();
    const auto scores = score_plane(encoder, patient, machines, 1);
    const auto examples =
        plain_latents(network, controls, machines.voxel, 1).to(torch::kHalf).to(torch::kFloat);
    const auto fits = fit_one_class(examples, {});
    const auto expected =
        decide_one_class(fits, examples, plain_latents(network, {patient}, machines.voxel, 1))
            .flatten();
    ASSERT_EQ(scores.numel(), round_mask().sum().item<int64_t>());
    const double largest = expected.abs().max().item<double>();
    // Latents that differ in the last digit round to different halves: 2^-11 of a latent.
    EXPECT_LT((scores - expected).abs().max().item<double>(), 2e-3 * largest);
    EXPECT_LT(((scores - expected).abs().mean() / largest).item<double>(), 1e-4);
    EXPECT_GT(scores.std().item<double>(), 0);
  }
}

/// Controls' features rounded as they are stored: the file's machines are those that were fitted.
TEST(VoxelMachines, SupportVectorsDecideTheirOffset) {
  torch::manual_seed(2);
  PatchAutoencoder network(1);
  const DensePatchEncoder encoder(network);
  auto controls = people(kPeople, 1);
  const auto machines = fit_plane(encoder, controls, round_mask(), 0, {});
  // A support vector between its bounds lies on the border: decision 0.
  std::vector<float> latent(64);
  int64_t from = 0, checked = 0;
  for (int64_t v = 0; v < machines.voxel.numel(); ++v) {
    const int64_t count = machines.count[v].item<int64_t>();
    auto halves = torch::empty({count, 64}, torch::kHalf);
    auto* const vectors = reinterpret_cast<uint16_t*>(halves.data_ptr<c10::Half>());
    machines.support_vectors(from, count, vectors);
    for (int64_t s = from; s < from + count; ++s) {
      if (machines.coefficient[s].item<float>() >= 1) continue;
      const auto vector = halves[s - from].to(torch::kFloat);
      EXPECT_NEAR(decide_by_halves(vectors, machines.coefficient.data_ptr<float>() + from, count,
                                   vector.data_ptr<float>(), machines.gamma[v].item<float>(),
                                   machines.rho[v].item<float>()),
                  0, 1e-5);
      ++checked;
    }
    from += count;
  }
  EXPECT_GT(checked, 100);
  EXPECT_EQ(from, machines.control.numel());
}

/// A piece is kept once: the support vectors that come back are the controls' latents.
TEST(VoxelMachines, PiecesGiveBackTheSupportVectors) {
  torch::manual_seed(2);
  PatchAutoencoder network(1);
  const DensePatchEncoder encoder(network);
  const auto controls = people(kPeople, 1);
  const auto machines = fit_plane(encoder, controls, round_mask(), 1, {});
  const auto maps = plane_maps(encoder, controls, 1);
  for (const auto& map : maps) round_to_half(map.data_ptr<float>(), map.numel());
  std::vector<float> latent(64);
  int64_t s = 0;
  for (int64_t v = 0; v < machines.voxel.numel(); ++v) {
    const int64_t at = machines.voxel[v].item<int64_t>();
    for (int64_t i = 0; i < machines.count[v].item<int64_t>(); ++i, ++s) {
      const auto& map = maps[static_cast<size_t>(machines.control[s].item<int64_t>())];
      latent_of_map(map.data_ptr<float>(), map.size(1), at / kWidth, at % kWidth, latent.data());
      auto halves = torch::empty({64}, torch::kHalf);
      machines.support_vectors(s, 1, reinterpret_cast<uint16_t*>(halves.data_ptr<c10::Half>()));
      // round_to_half() keeps more digits than float16 below 6e-5.
      ASSERT_TRUE(torch::allclose(halves.to(torch::kFloat), torch::tensor(latent), 0, 4e-8));
    }
  }
  EXPECT_LT(machines.pieces.size(0), 4 * machines.control.numel());
}

TEST(VoxelMachines, HeldOutControlsAreScoredByMachinesWithoutThem) {
  torch::manual_seed(2);
  PatchAutoencoder network(1);
  const DensePatchEncoder encoder(network);
  const auto controls = people(8, 1);
  VoxelMachineSettings settings;
  settings.folds = 4;
  const auto machines = fit_plane(encoder, controls, round_mask(), 0, settings);
  auto scores = torch::zeros({8, machines.voxel.numel()});
  for (int64_t fold = 0; fold < 4; ++fold) {
    std::vector<ScaledScans> kept;
    for (int64_t i = 0; i < 8; ++i)
      if (i % 4 != fold) kept.push_back(controls[static_cast<size_t>(i)]);
    const auto without = fit_plane(encoder, kept, round_mask(), 0, {});
    for (const int64_t i : {fold, fold + 4})
      scores[i] = score_plane(encoder, controls[static_cast<size_t>(i)], without, 0) * (8.0 / 6);
  }
  // score_plane() reads the held-out control unrounded: 2^-11 of its latents.
  const double largest = scores.abs().max().item<double>();
  EXPECT_LT((machines.mean - scores.mean(0)).abs().max().item<double>(), 2e-3 * largest);
  EXPECT_LT((machines.deviation - scores.std(0)).abs().max().item<double>(), 2e-3 * largest);
  EXPECT_EQ(ZDistribution(machines.healthy).total(), 8 * ((machines.voxel.numel() + 7) / 8));
}

TEST(VoxelMachines, FilesAndThreadsChangeNothing) {
  torch::manual_seed(2);
  PatchAutoencoder network(1);
  const DensePatchEncoder encoder(network);
  const auto controls = people(kPeople, 1);
  const auto machines = fit_plane(encoder, controls, round_mask(), 0, {});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = fit_plane(encoder, controls, round_mask(), 0, {});
  at::set_num_threads(threads);
  EXPECT_TRUE(torch::equal(machines.pieces, alone.pieces));
  EXPECT_TRUE(torch::equal(machines.coefficient, alone.coefficient));
  const TemporaryFolder folder;
  write_plane(folder.path() / "plane.safetensors", machines, "key");
  const auto again =
      read_plane(folder.path() / "plane.safetensors", "key", kHeight, kWidth, kPeople);
  const auto patient = people(kPeople + 1, 1).back();
  EXPECT_TRUE(torch::equal(score_plane(encoder, patient, machines, 0),
                           score_plane(encoder, patient, again, 0)));
  EXPECT_REFUSED(read_plane(folder.path() / "plane.safetensors", "other", kHeight, kWidth, kPeople),
                 "plane.safetensors: belongs to another detector; fit again into an empty folder");
  EXPECT_REFUSED(read_plane(folder.path() / "plane.safetensors", "key", 1, 20, kPeople),
                 "plane.safetensors: its support vectors do not fit its voxels; fit again");
}

TEST(VoxelMachines, RoundToWhatFloat16Holds) {
  const auto values = Random(3, "values").uniform_tensor({10000}) * 100 + 1e-4;
  auto rounded = values.clone();
  round_to_half(rounded.data_ptr<float>(), rounded.numel());
  EXPECT_TRUE(torch::equal(rounded, values.to(torch::kHalf).to(torch::kFloat)));
}

TEST(VoxelMachines, RefuseWhatTheyCannotUse) {
  PatchAutoencoder network(1);
  const DensePatchEncoder encoder(network);
  EXPECT_REFUSED(fit_plane(encoder, people(1, 1), round_mask(), 0, {}),
                 "machines at every voxel: 1 controls; expected 2 to 32767");
  VoxelMachineSettings settings;
  settings.folds = 1;
  EXPECT_REFUSED(fit_plane(encoder, people(4, 1), round_mask(), 0, settings),
                 "--folds 1: expected 0");
  EXPECT_REFUSED(scale_scans({torch::zeros({2, 2, 2})}, 0, "sub-01"),
                 "sub-01: the scan has the same value everywhere");
  EXPECT_REFUSED(scale_scans({torch::full({2, 2, 2}, NAN)}, 0, "sub-01"),
                 "sub-01: a voxel is not finite");
}

}  // namespace
}  // namespace scintigen
