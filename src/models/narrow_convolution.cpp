// SPDX-License-Identifier: Apache-2.0
#include "models/narrow_convolution.h"

#include <algorithm>
#include <vector>

#include "models/aligned_room.h"
#include "models/panel_product.h"
#include "models/parallel_parts.h"
#include "models/vector_loops.h"

namespace scintigen {
namespace {

/// A thread's own memory.
struct Own {
  AlignedRoom<float> taps, rows, sums;
};
Own& own() {
  static thread_local Own memory;
  return memory;
}

int64_t tiles_of(int64_t rows) { return (rows + kTile - 1) / kTile; }

/// Along one axis: taps that meet pixels of the narrow map, as runs of both.
struct Run {
  int64_t tap, pixel, length;
};

/// The runs of each wide pixel of an axis.
std::vector<std::vector<Run>> runs_along(const NarrowShape& s, int64_t narrow, int64_t wide) {
  std::vector<std::vector<Run>> runs(static_cast<size_t>(wide));
  const int64_t reach = s.wide_border ? s.side - 1 - s.padding : 0;
  for (int64_t place = -reach; place < wide + reach; ++place) {
    const int64_t pixel = border_pixel(place, wide, s.border);
    if (pixel < 0) continue;
    auto& of = runs[static_cast<size_t>(pixel)];
    bool goes_on = false;
    for (int64_t tap = 0; tap < s.side; ++tap) {
      const int64_t at = border_pixel(place * s.stride + tap - s.padding, narrow,
                                      s.wide_border ? Border::zero : s.border);
      if (at >= 0 && goes_on && of.back().pixel + of.back().length == at) {
        ++of.back().length;
      } else if (at >= 0) {
        of.push_back({tap, at, 1});
      }
      goes_on = at >= 0;
    }
  }
  return runs;
}

SCINTIGEN_CLONES void add_run(const float* from, int64_t count, float* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

/// Between the narrow map and the taps of some wide pixels, [pixels][pitch]: tap * narrow +
/// channel.
class Taps {
 public:
  explicit Taps(const NarrowShape& shape)
      : pitch((shape.depth() + kPanel - 1) / kPanel * kPanel),
        // What a thread works on stays in the cache of the second level.
        chunk(shape.depth() > 4 * kPanel ? 32 : 64),
        s_(shape),
        down_(runs_along(shape, shape.height, shape.wide_height)),
        across_(runs_along(shape, shape.width, shape.wide_width)) {}

  /// Of wide pixels first..first+count-1; pixels beyond, to the end of a register tile, are 0.
  void gather(const float* narrow, int64_t first, int64_t count, float* taps) const {
    std::fill_n(taps, tiles_of(count) * kTile * pitch, 0.0f);
    for (int64_t p = 0; p < count; ++p) {
      each_run(first + p, [&](int64_t tap, int64_t at, int64_t length) {
        add_run(narrow + at, length, taps + p * pitch + tap);
      });
    }
  }
  /// The adjoint: adds to the narrow map.
  void scatter(const float* taps, int64_t first, int64_t count, float* narrow) const {
    for (int64_t p = 0; p < count; ++p) {
      each_run(first + p, [&](int64_t tap, int64_t at, int64_t length) {
        add_run(taps + p * pitch + tap, length, narrow + at);
      });
    }
  }

  const int64_t pitch, chunk;

 private:
  /// work(first element of the taps, of the narrow map, elements).
  template <class Work>
  void each_run(int64_t pixel, const Work& work) const {
    const int64_t size = s_.wide_height * s_.wide_width, place = pixel % size;
    const int64_t image = pixel / size * s_.height * s_.width;
    const auto& across = across_[static_cast<size_t>(place % s_.wide_width)];
    for (const Run& rows : down_[static_cast<size_t>(place / s_.wide_width)]) {
      for (int64_t i = 0; i < rows.length; ++i) {
        const int64_t tap = (rows.tap + i) * s_.side, row = image + (rows.pixel + i) * s_.width;
        for (const Run& run : across)
          work((tap + run.tap) * s_.narrow, (row + run.pixel) * s_.narrow, run.length * s_.narrow);
      }
    }
  }

  const NarrowShape s_;
  const std::vector<std::vector<Run>> down_, across_;
};

/// Wide rows `first`.. of whole register tiles; the last ones, which are none, through a copy whose
/// rest is 0.
const float* whole_tiles(const NarrowShape& s, const float* wide, int64_t first, int64_t count) {
  const float* from = wide + first * s.wide;
  if (count % kTile == 0) return from;
  const int64_t rows = tiles_of(count) * kTile;
  float* copy = own().rows.of(rows * s.wide);
  std::fill_n(std::copy_n(from, count * s.wide, copy), (rows - count) * s.wide, 0.0f);
  return copy;
}

}  // namespace

bool narrow_convolution_applies(const NarrowShape& s) {
  constexpr int64_t kLeastSide = 4, kMostDepth = 512;
  return panel_product_runs() && s.side >= kLeastSide && s.narrow <= kMostNarrow &&
         s.depth() <= kMostDepth && s.wide % kPanel == 0 && s.wide_rows() > 0;
}

void narrow_to_wide(const NarrowShape& s, const float* narrow, const float* weight, float* wide) {
  const Taps of(s);
  const int64_t depth = s.depth(), chunks = (s.wide_rows() + of.chunk - 1) / of.chunk;
  std::vector<float> packed(static_cast<size_t>(depth * s.wide));
  for (int64_t m = 0; m < s.wide; m += kPanel)
    pack_panel(weight, depth, s.wide, m, packed.data() + m * depth);
  in_parts(chunks, 1, [&](int64_t first_chunk, int64_t last_chunk, int64_t, int64_t) {
    float* taps = own().taps.of(of.chunk * of.pitch);
    for (int64_t chunk = first_chunk; chunk < last_chunk; ++chunk) {
      const int64_t first = chunk * of.chunk, count = std::min(of.chunk, s.wide_rows() - first);
      of.gather(narrow, first, count, taps);
      const bool whole = count % kTile == 0;
      float* to = whole ? wide + first * s.wide : own().rows.of(of.chunk * s.wide);
      for (int64_t m = 0; m < s.wide; m += kPanel)
        multiply_panel(LeftSide<float>{taps, of.pitch, 1, kTile * of.pitch, 0},
                       packed.data() + m * depth, depth, 1, tiles_of(count), to + m, s.wide,
                       kTile * s.wide, false);
      if (!whole) std::copy_n(to, count * s.wide, wide + first * s.wide);
    }
  });
}

void wide_to_narrow(const NarrowShape& s, const float* wide, const float* weight, float* narrow) {
  const Taps of(s);
  // [panel of taps][wide][32], the last taps 0.
  std::vector<float> right(static_cast<size_t>(of.pitch * s.wide));
  for (int64_t t = 0; t < s.depth(); ++t) {
    for (int64_t m = 0; m < s.wide; ++m)
      right[static_cast<size_t>((t / kPanel * s.wide + m) * kPanel + t % kPanel)] =
          weight[t * s.wide + m];
  }
  // Taps of neighbours meet in one narrow pixel: a thread takes whole images.
  in_parts(s.images, 1, [&](int64_t first_image, int64_t last_image, int64_t, int64_t) {
    const int64_t image = s.height * s.width * s.narrow, size = s.wide_height * s.wide_width;
    std::fill_n(narrow + first_image * image, (last_image - first_image) * image, 0.0f);
    float* taps = own().taps.of(of.chunk * of.pitch);
    for (int64_t first = first_image * size; first < last_image * size; first += of.chunk) {
      const int64_t count = std::min(of.chunk, last_image * size - first);
      const LeftSide<float> left{whole_tiles(s, wide, first, count), s.wide, 1, kTile * s.wide, 0};
      for (int64_t t = 0; t < of.pitch; t += kPanel)
        multiply_panel(left, right.data() + t * s.wide, s.wide, 1, tiles_of(count), taps + t,
                       of.pitch, kTile * of.pitch, false);
      of.scatter(taps, first, count, narrow);
    }
  });
}

void narrow_weight_gradient(const NarrowShape& s, const float* narrow, const float* wide,
                            float* gweight) {
  const Taps of(s);
  const int64_t depth = s.depth();
  in_parts(1, s.wide / kPanel, [&](int64_t, int64_t, int64_t from, int64_t to) {
    auto& memory = own();
    const int64_t panel = tiles_of(depth) * kTile * kPanel;
    float* sums = memory.sums.of((to - from) * panel);  // [panel][taps][32]
    float* taps = memory.taps.of(of.chunk * of.pitch);
    float* right = memory.rows.of(of.chunk * kPanel);
    for (int64_t first = 0; first < s.wide_rows(); first += of.chunk) {
      const int64_t count = std::min(of.chunk, s.wide_rows() - first);
      of.gather(narrow, first, count, taps);
      const LeftSide<float> left{taps, 1, of.pitch, kTile, 0};
      for (int64_t m = from; m < to; ++m) {
        pack_panel(wide + first * s.wide, count, s.wide, m * kPanel, right);
        multiply_panel(left, right, count, 1, tiles_of(depth), sums + (m - from) * panel, kPanel,
                       kTile * kPanel, first > 0);
      }
    }
    for (int64_t m = from; m < to; ++m) {
      for (int64_t t = 0; t < depth; ++t)
        std::copy_n(sums + (m - from) * panel + t * kPanel, kPanel,
                    gweight + t * s.wide + m * kPanel);
    }
  });
}

}  // namespace scintigen
