// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/temporary_folder.h"
#include "training/image_pool.h"

namespace scintigen {
namespace {

/// Two images of `step`, each of one number.
torch::Tensor made(int64_t step) {
  return torch::tensor({2.0F * static_cast<float>(step), 2.0F * static_cast<float>(step) + 1})
      .view({2, 1, 1, 1});
}

ImagePool pool_of(int64_t size, uint64_t seed = 1) {
  return ImagePool(size, {1, 1, 1}, torch::kCPU, seed, "target");
}

TEST(ImagePool, ShowsNewImagesUntilItIsFull) {
  auto pool = pool_of(6);
  for (int64_t step = 0; step < 3; ++step)
    EXPECT_TRUE(torch::equal(pool.exchange(made(step), step), made(step)));
  EXPECT_EQ(pool.state().at("count").item<int64_t>(), 6);
  EXPECT_TRUE(
      torch::equal(pool.state().at("images").flatten(), torch::arange(6).to(torch::kFloat)));
}

TEST(ImagePool, ShowsAnOlderOneHalfTheTimeAndKeepsTheNewInItsPlace) {
  auto pool = pool_of(10);
  int64_t older = 0;
  for (int64_t step = 0; step < 500; ++step) {
    const auto before = pool.state().at("images").clone();
    const auto shown = pool.exchange(made(step), step);
    const auto after = pool.state().at("images");
    if (step < 5) continue;
    const auto replaced = (shown != made(step)).sum().item<int64_t>();
    EXPECT_LE((before != after).sum().item<int64_t>(), replaced);
    EXPECT_TRUE((shown <= made(step)).all().item<bool>()) << "shown before it was made";
    older += replaced;
  }
  EXPECT_NEAR(static_cast<double>(older) / 990, 0.5, 0.06);  // 4 SD of a fair coin
}

TEST(ImagePool, GoesOnFromItsState) {
  auto straight = pool_of(4), first = pool_of(4), second = pool_of(4);
  std::map<std::string, torch::Tensor> saved;
  for (int64_t step = 0; step < 9; ++step) {
    straight.exchange(made(step), step);
    first.exchange(made(step), step);
  }
  for (const auto& [name, tensor] : first.state()) saved[name] = tensor.clone();
  second.load_state(saved);
  for (int64_t step = 9; step < 30; ++step)
    EXPECT_TRUE(
        torch::equal(straight.exchange(made(step), step), second.exchange(made(step), step)));
  auto other = pool_of(4, 2);
  other.load_state(saved);
  bool differs = false;
  for (int64_t step = 30; step < 50; ++step)
    differs =
        !torch::equal(straight.exchange(made(step), step), other.exchange(made(step), step)) ||
        differs;
  EXPECT_TRUE(differs) << "another seed draws otherwise";
  saved["count"] = torch::tensor({5});
  EXPECT_REFUSED(second.load_state(saved), "5 images in room for 4");
}

TEST(ImagePool, OfNoSizeShowsWhatIsNew) {
  auto pool = pool_of(0);
  for (int64_t step = 0; step < 20; ++step)
    EXPECT_TRUE(torch::equal(pool.exchange(made(step), step), made(step)));
  EXPECT_TRUE(pool.state().empty());
}

}  // namespace
}  // namespace scintigen
