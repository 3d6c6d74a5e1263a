// SPDX-License-Identifier: Apache-2.0
#include "models/up_convolution.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <type_traits>
#include <vector>

#include "models/panel_product.h"

namespace scintigen {
namespace {

constexpr int64_t kTaps = 9;

/// Elements that count as one step of depth: bfloat16 is multiplied in pairs.
template <class T>
constexpr int64_t kStep = std::is_same_v<T, float> ? 1 : 2;

/// A thread's own memory, kept between calls: it stays in the cache and its pages stay mapped.
template <class T>
struct Own {
  std::vector<T> left, right, packed;
  std::vector<float> sums, line;
};
template <class T>
Own<T>& own() {
  static thread_local Own<T> memory;
  return memory;
}
template <class T>
T* room(std::vector<T>& memory, int64_t count) {
  if (static_cast<int64_t>(memory.size()) < count) memory.resize(static_cast<size_t>(count));
  return memory.data();
}

template <class Work>
void in_parallel(int64_t count, const Work& work) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) work(i);
  });
}

/// Lines of about `pixels` coarse pixels, a whole number of tiles.
int64_t lines_of(const UpShape& s, int64_t pixels) {
  const int64_t whole = kTile / std::gcd(s.width, kTile);
  return ((pixels + s.width - 1) / s.width + whole - 1) / whole * whole;
}

/// gx = sum over taps and channels of what g sends back through them. A task is a block of lines and some of x's channels.
template <class T>
void data_gradient(const UpShape& s, const T* g, const float* weight, T* gx) {
  const int64_t columns = kTaps * s.out, depth = kTaps * kPanel;
  // One panel of 32 channels of x, then for each 32 channels of g its nine taps: [in / 32][out / 32][9][32][32].
  T* packed = room(own<T>().packed, s.in * columns);
  in_parallel(s.in / kPanel, [&](int64_t c) {
    auto& panel = own<T>().right;
    pack_transposed_panel(weight, columns, c * kPanel, room(panel, columns * kPanel));
    T* to = packed + c * columns * kPanel;
    for (int64_t m = 0; m < s.out; m += kPanel) {
      for (int64_t t = 0; t < kTaps; ++t, to += kPanel * kPanel) {
        std::copy_n(panel.data() + (t * s.out + m) * kPanel, kPanel * kPanel, to);
      }
    }
  });
  const int64_t lines = lines_of(s, 64), blocks = (s.lines() + lines - 1) / lines, panels = s.in / kPanel;
  const int64_t wanted = 2 * at::get_num_threads();  // does not change the result, only who computes it
  const int64_t splits = std::min(panels, std::max<int64_t>(1, (wanted + blocks - 1) / blocks));
  in_parallel(blocks * splits, [&](int64_t task) {
    const int64_t first = task / splits * lines, last = std::min(first + lines, s.lines());
    const int64_t from = task % splits * panels / splits, to = (task % splits + 1) * panels / splits;
    const int64_t pixels = (last - first) * s.width, offset = first * s.width * s.in;
    auto& memory = own<T>();
    T* taps = room(memory.left, kTaps * pixels * kPanel);
    float* sums = room(memory.sums, (to - from) * pixels * kPanel);
    for (int64_t m = 0; m < s.out; m += kPanel) {
      expand_taps(s, g, first, last, m, 0, 3, memory.line, taps);
      const LeftSide<T> left{taps, kPanel, kStep<T>, kTile * kPanel, pixels * kPanel};
      for (int64_t c = from; c < to; ++c) {
        multiply_panel(left, packed + c * columns * kPanel + m * depth, kPanel / kStep<T>, kTaps,
                       pixels / kTile, sums + (c - from) * pixels * kPanel, kPanel, kTile * kPanel, m > 0);
      }
    }
    for (int64_t c = from; c < to; ++c) {
      const float* sum = sums + (c - from) * pixels * kPanel;
      for (int64_t p = 0; p < pixels; ++p) {
        std::copy_n(sum + p * kPanel, kPanel, gx + offset + p * s.in + c * kPanel);
      }
    }
  });
}

/// Gradient of weight [in,3,3,out]: a task is a row of taps and 32 channels of g, over blocks of lines in their order.
template <class T>
void weight_gradient(const UpShape& s, const T* g, const T* x, float* gweight) {
  const int64_t columns = kTaps * s.out, lines = lines_of(s, 512);
  const T* left = x;
  if constexpr (kStep<T> == 2) {
    T* pairs = room(own<T>().packed, s.rows() * s.in);
    interleave_rows(x, s.rows(), s.in, pairs);
    left = pairs;
  }
  in_parallel(3 * s.out / kPanel, [&](int64_t task) {
    const int64_t tap_row = task % 3, m = task / 3 * kPanel;
    auto& memory = own<T>();
    for (int64_t first = 0; first < s.lines(); first += lines) {
      const int64_t last = std::min(first + lines, s.lines()), pixels = (last - first) * s.width;
      T* taps = room(memory.left, 3 * pixels * kPanel);
      expand_taps(s, g, first, last, m, tap_row, 1, memory.line, taps);
      for (int64_t t = 0; t < 3; ++t) {
        const T* right = taps + t * pixels * kPanel;
        if constexpr (kStep<T> == 2) {
          T* interleaved = room(memory.right, pixels * kPanel);
          interleave_rows(right, pixels, kPanel, interleaved);
          right = interleaved;
        }
        const LeftSide<T> side{left + first * s.width * s.in, kStep<T>, kStep<T> * s.in, kStep<T> * kTile, 0};
        multiply_panel(side, right, pixels / kStep<T>, 1, s.in / kTile,
                       gweight + (3 * tap_row + t) * s.out + m, columns, kTile * columns, first > 0);
      }
    }
  });
}

}  // namespace

bool up_products_apply(const UpShape& s, bool bfloat16) {
  return panel_product_runs(bfloat16) && s.in % kPanel == 0 && s.out % kPanel == 0 && s.rows() > 0 &&
         s.height * s.width % kTile == 0;
}

template <class T>
void up_products_forward(const UpShape& s, const T* x, const float* weight, T* y) {
  const int64_t columns = kTaps * s.out, size = s.height * s.width, panel = s.in * kPanel;
  T* packed = room(own<T>().packed, s.in * columns);
  in_parallel(columns / kPanel, [&](int64_t p) {
    pack_panel(weight, s.in, columns, p * kPanel, packed + p * panel);
  });
  // A task is 32 channels of some images: their nine taps stay in this thread's cache until they are summed.
  const int64_t images = std::max<int64_t>(1, 64 / size), groups = (s.images + images - 1) / images;
  in_parallel(groups * s.out / kPanel, [&](int64_t task) {
    const int64_t m = task / groups * kPanel, first = task % groups * images;
    const int64_t last = std::min(first + images, s.images), pixels = (last - first) * size;
    auto& memory = own<T>();
    float* taps = room(memory.sums, kTaps * pixels * kPanel);
    const LeftSide<T> left{x + first * size * s.in, s.in, kStep<T>, kTile * s.in, 0};
    for (int64_t t = 0; t < kTaps; ++t) {
      multiply_panel(left, packed + (t * s.out + m) / kPanel * panel, s.in / kStep<T>, 1, pixels / kTile,
                     taps + t * pixels * kPanel, kPanel, kTile * kPanel, false);
    }
    collapse_taps(s, taps, first, last, m, memory.line, y);
  });
}

template <class T>
void up_products_backward(const UpShape& s, const T* g, const T* x, const float* weight, T* gx, float* gweight) {
  if (gx != nullptr) data_gradient(s, g, weight, gx);
  if (gweight != nullptr) weight_gradient(s, g, x, gweight);
}

template void up_products_forward(const UpShape&, const float*, const float*, float*);
template void up_products_forward(const UpShape&, const c10::BFloat16*, const float*, c10::BFloat16*);
template void up_products_backward(const UpShape&, const float*, const float*, const float*, float*, float*);
template void up_products_backward(const UpShape&, const c10::BFloat16*, const c10::BFloat16*, const float*,
                                   c10::BFloat16*, float*);

}  // namespace scintigen
