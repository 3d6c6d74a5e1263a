// SPDX-License-Identifier: Apache-2.0
#include "models/narrow_convolution.h"

#include <algorithm>
#include <vector>

#include "models/aligned_room.h"
#include "models/panel_product.h"
#include "models/parallel_parts.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 4, kTaps = kSide * kSide;
constexpr int64_t kChunk = 64;  // wide pixels whose taps stay in the first-level cache

/// A thread's own memory.
struct Own {
  AlignedRoom<float> taps, rows, sums;
};
Own& own() {
  static thread_local Own memory;
  return memory;
}

/// Calls work(tap, narrow pixel's offset) for the taps of wide pixel `pixel` that are inside.
template <class Work>
void each_tap(const NarrowShape& s, int64_t pixel, const Work& work) {
  const int64_t size = s.wide_height * s.wide_width, place = pixel % size;
  const int64_t top = place / s.wide_width * s.stride - s.padding,
                left = place % s.wide_width * s.stride - s.padding;
  const int64_t image = pixel / size * s.height * s.width;
  for (int64_t i = 0; i < kSide; ++i) {
    if (top + i < 0 || top + i >= s.height) continue;
    const int64_t row = image + (top + i) * s.width;
    for (int64_t j = std::max<int64_t>(0, -left); j < std::min(kSide, s.width - left); ++j)
      work(i * kSide + j, (row + left + j) * s.narrow);
  }
}

/// Taps of wide pixels first..first+count-1, [kChunk][32]: tap * narrow + channel, the rest 0.
void gather_taps(const NarrowShape& s, const float* narrow, int64_t first, int64_t count,
                 float* taps) {
  std::fill_n(taps, kChunk * kPanel, 0.0f);
  for (int64_t p = 0; p < count; ++p) {
    each_tap(s, first + p, [&](int64_t tap, int64_t at) {
      for (int64_t c = 0; c < s.narrow; ++c) taps[p * kPanel + tap * s.narrow + c] = narrow[at + c];
    });
  }
}

/// Rows `channel`.. of whole chunks; the last ones, which are no whole register tile, through a
/// copy whose rest is 0.
const float* whole_tiles(const NarrowShape& s, const float* wide, int64_t first, int64_t count) {
  const float* from = wide + first * s.wide;
  if (count % kTile == 0) return from;
  float* copy = own().rows.of(kChunk * s.wide);
  std::fill_n(std::copy_n(from, count * s.wide, copy), (kChunk - count) * s.wide, 0.0f);
  return copy;
}

int64_t tiles_of(int64_t rows) { return (rows + kTile - 1) / kTile; }

}  // namespace

bool narrow_convolution_applies(const NarrowShape& s) {
  return panel_product_runs(false) && s.narrow * kTaps <= kPanel && s.wide % kPanel == 0 &&
         s.wide_rows() > 0;
}

void narrow_to_wide(const NarrowShape& s, const float* narrow, const float* weight, float* wide) {
  const int64_t depth = kTaps * s.narrow;
  std::vector<float> packed(static_cast<size_t>(depth * s.wide));
  for (int64_t m = 0; m < s.wide; m += kPanel)
    pack_panel(weight, depth, s.wide, m, packed.data() + m * depth);
  const int64_t chunks = (s.wide_rows() + kChunk - 1) / kChunk;
  in_parts(chunks, 1, [&](int64_t first_chunk, int64_t last_chunk, int64_t, int64_t) {
    float* taps = own().taps.of(kChunk * kPanel);
    for (int64_t chunk = first_chunk; chunk < last_chunk; ++chunk) {
      const int64_t first = chunk * kChunk, count = std::min(kChunk, s.wide_rows() - first);
      gather_taps(s, narrow, first, count, taps);
      const bool whole = count % kTile == 0;
      float* to = whole ? wide + first * s.wide : own().rows.of(kChunk * s.wide);
      for (int64_t m = 0; m < s.wide; m += kPanel)
        multiply_panel(LeftSide<float>{taps, kPanel, 1, kTile * kPanel, 0},
                       packed.data() + m * depth, depth, 1, tiles_of(count), to + m, s.wide,
                       kTile * s.wide, false);
      if (!whole) std::copy_n(to, count * s.wide, wide + first * s.wide);
    }
  });
}

void wide_to_narrow(const NarrowShape& s, const float* wide, const float* weight, float* narrow) {
  const int64_t depth = kTaps * s.narrow;
  std::vector<float> right(static_cast<size_t>(s.wide * kPanel), 0.0f);  // [wide][taps, rest 0]
  for (int64_t t = 0; t < depth; ++t) {
    for (int64_t m = 0; m < s.wide; ++m)
      right[static_cast<size_t>(m * kPanel + t)] = weight[t * s.wide + m];
  }
  // Taps of neighbours meet in one narrow pixel: a thread takes whole images.
  in_parts(s.images, 1, [&](int64_t first_image, int64_t last_image, int64_t, int64_t) {
    const int64_t image = s.height * s.width * s.narrow, size = s.wide_height * s.wide_width;
    std::fill_n(narrow + first_image * image, (last_image - first_image) * image, 0.0f);
    float* taps = own().taps.of(kChunk * kPanel);
    for (int64_t first = first_image * size; first < last_image * size; first += kChunk) {
      const int64_t count = std::min(kChunk, last_image * size - first);
      const LeftSide<float> left{whole_tiles(s, wide, first, count), s.wide, 1, kTile * s.wide, 0};
      multiply_panel(left, right.data(), s.wide, 1, tiles_of(count), taps, kPanel, kTile * kPanel,
                     false);
      for (int64_t p = 0; p < count; ++p) {
        each_tap(s, first + p, [&](int64_t tap, int64_t at) {
          for (int64_t c = 0; c < s.narrow; ++c)
            narrow[at + c] += taps[p * kPanel + tap * s.narrow + c];
        });
      }
    }
  });
}

void narrow_weight_gradient(const NarrowShape& s, const float* narrow, const float* wide,
                            float* gweight) {
  const int64_t depth = kTaps * s.narrow;
  in_parts(1, s.wide / kPanel, [&](int64_t, int64_t, int64_t from, int64_t to) {
    const int64_t channels = (to - from) * kPanel;
    float* sums = own().sums.of(channels * kPanel);  // [wide channel][taps]
    float* taps = own().taps.of(kChunk * kPanel);
    for (int64_t first = 0; first < s.wide_rows(); first += kChunk) {
      const int64_t count = std::min(kChunk, s.wide_rows() - first);
      gather_taps(s, narrow, first, count, taps);
      const LeftSide<float> left{wide + first * s.wide + from * kPanel, 1, s.wide, kTile, 0};
      multiply_panel(left, taps, count, 1, channels / kTile, sums, kPanel, kTile * kPanel,
                     first > 0);
    }
    for (int64_t t = 0; t < depth; ++t) {
      for (int64_t m = 0; m < channels; ++m)
        gweight[t * s.wide + from * kPanel + m] = sums[m * kPanel + t];
    }
  });
}

}  // namespace scintigen
