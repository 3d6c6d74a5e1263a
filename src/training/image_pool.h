// SPDX-License-Identifier: Apache-2.0
// Images that a generator made earlier, shown to the discriminator again.
// Source  Shrivastava et al., CVPR 2017, section 2.3; as the public Cycle-GAN code has it
//         (util/image_pool.py): while there is room an image is kept and shown; once full, half of
//         the new images are shown themselves, and half take the place of an older one, which is
//         shown instead.
// Checked tests/training/test_image_pool.cpp; in whole steps tests/training/test_cycle_step.cpp
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace scintigen {

class ImagePool {
 public:
  /// `size` images of shape `image` ([C,...]) on `device`; 0: new images are always shown. What is
  /// drawn depends on (seed, name, number of the image) only.
  ImagePool(int64_t size, torch::IntArrayRef image, torch::Device device, uint64_t seed,
            std::string name);

  /// made [N,C,...] of `step`, without gradients -> what the discriminator is shown instead.
  torch::Tensor exchange(const torch::Tensor& made, int64_t step);

  /// "images" [size,C,...] and "count" (int64, how many of them are filled): live, for a
  /// checkpoint. Empty where size is 0.
  std::map<std::string, torch::Tensor> state() const;
  /// throws  Error: a count outside 0..size
  void load_state(const std::map<std::string, torch::Tensor>& state);

 private:
  uint64_t seed_;
  std::string stream_;
  torch::Tensor images_, count_;
};

}  // namespace scintigen
