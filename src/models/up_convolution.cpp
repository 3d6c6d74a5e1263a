// SPDX-License-Identifier: Apache-2.0
#include "models/up_convolution.h"

#include <algorithm>
#include <numeric>

#include "models/aligned_room.h"
#include "models/panel_product.h"
#include "models/parallel_parts.h"

namespace scintigen {
namespace {

constexpr int64_t kTaps = 9;

/// A thread's own memory.
template <class T>
struct Own {
  AlignedRoom<T> left, right, packed;
  AlignedRoom<float> sums, line;
};
template <class T>
Own<T>& own() {
  static thread_local Own<T> memory;
  return memory;
}

/// Lines of about `pixels` coarse pixels, a whole number of tiles.
int64_t lines_of(const UpShape& s, int64_t pixels) {
  const int64_t whole = kTile / std::gcd(s.width, kTile);
  return ((pixels + s.width - 1) / s.width + whole - 1) / whole * whole;
}

/// gx = sum over taps and channels of what g sends back through them.
template <class T>
void data_gradient(const UpShape& s, const T* g, const float* weight, T* gx) {
  const int64_t columns = kTaps * s.out, depth = kTaps * kPanel;
  const int64_t lines = lines_of(s, 64), blocks = (s.lines() + lines - 1) / lines;
  in_parts(blocks, s.in / kPanel,
           [&](int64_t first_block, int64_t last_block, int64_t from, int64_t to) {
             auto& memory = own<T>();
             // Right sides: for each 32 channels of x and each 32 of g, the nine taps one after
             // another.
             T *whole = memory.right.of(columns * kPanel),
               *packed = memory.packed.of((to - from) * columns * kPanel);
             for (int64_t c = from; c < to; ++c) {
               pack_transposed_panel(weight, columns, c * kPanel, whole);
               T* panel = packed + (c - from) * columns * kPanel;
               for (int64_t m = 0; m < s.out; m += kPanel) {
                 for (int64_t t = 0; t < kTaps; ++t, panel += kPanel * kPanel) {
                   std::copy_n(whole + (t * s.out + m) * kPanel, kPanel * kPanel, panel);
                 }
               }
             }
             for (int64_t block = first_block; block < last_block; ++block) {
               const int64_t first = block * lines, last = std::min(first + lines, s.lines());
               const int64_t pixels = (last - first) * s.width;
               T* taps = memory.left.of(kTaps * pixels * kPanel);
               float* sums = memory.sums.of((to - from) * pixels * kPanel);
               const LeftSide<T> left{taps, kPanel, kStep<T>, kTile * kPanel, pixels * kPanel};
               for (int64_t m = 0; m < s.out; m += kPanel) {
                 expand_taps(s, g, first, last, m, 0, 3, memory.line, taps);
                 for (int64_t c = 0; c < to - from; ++c) {
                   multiply_panel(left, packed + c * columns * kPanel + m * depth,
                                  kPanel / kStep<T>, kTaps, pixels / kTile,
                                  sums + c * pixels * kPanel, kPanel, kTile * kPanel, m > 0);
                 }
               }
               T* out = gx + first * s.width * s.in + from * kPanel;
               for (int64_t p = 0; p < pixels; ++p, out += s.in) {
                 for (int64_t c = 0; c < to - from; ++c) {
                   std::copy_n(sums + (c * pixels + p) * kPanel, kPanel, out + c * kPanel);
                 }
               }
             }
           });
}

/// Gradient of weight [in,3,3,out] for one row of taps and 32 channels of g, over blocks of lines
/// in their order.
template <class T>
void weight_gradient_panel(const UpShape& s, const T* g, const T* left, int64_t tap_row, int64_t m,
                           float* gweight) {
  const int64_t columns = kTaps * s.out, lines = lines_of(s, 512);
  auto& memory = own<T>();
  for (int64_t first = 0; first < s.lines(); first += lines) {
    const int64_t last = std::min(first + lines, s.lines()), pixels = (last - first) * s.width;
    T* taps = memory.left.of(3 * pixels * kPanel);
    expand_taps(s, g, first, last, m, tap_row, 1, memory.line, taps);
    const LeftSide<T> side{left + first * s.width * s.in, kStep<T>, kStep<T> * s.in,
                           kStep<T> * kTile, 0};
    for (int64_t t = 0; t < 3; ++t) {
      const T* right = taps + t * pixels * kPanel;
      if constexpr (kStep<T> == 2) {
        T* interleaved = memory.right.of(pixels * kPanel);
        interleave_rows(right, pixels, kPanel, interleaved);
        right = interleaved;
      }
      multiply_panel(side, right, pixels / kStep<T>, 1, s.in / kTile,
                     gweight + (3 * tap_row + t) * s.out + m, columns, kTile * columns, first > 0);
    }
  }
}

template <class T>
void weight_gradient(const UpShape& s, const T* g, const T* x, float* gweight) {
  const T* left = x;
  AlignedRoom<T>& room = own<T>().packed;
  if constexpr (kStep<T> == 2) {
    T* pairs = room.of(s.rows() * s.in);
    interleave_rows(x, s.rows(), s.in, pairs);
    left = pairs;
  }
  at::parallel_for(0, 3 * s.out / kPanel, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      weight_gradient_panel(s, g, left, i % 3, i / 3 * kPanel, gweight);
  });
}

}  // namespace

bool up_products_apply(const UpShape& s) {
  return panel_product_runs() && s.in % kPanel == 0 && s.out % kPanel == 0 && s.rows() > 0 &&
         s.height * s.width % kTile == 0;
}

template <class T>
void up_products_forward(const UpShape& s, const T* x, const float* weight, T* y) {
  const int64_t columns = kTaps * s.out, size = s.height * s.width, panel = s.in * kPanel;
  const int64_t images = std::max<int64_t>(1, 64 / size), groups = (s.images + images - 1) / images;
  in_parts(groups, s.out / kPanel,
           [&](int64_t first_group, int64_t last_group, int64_t from, int64_t to) {
             auto& memory = own<T>();
             T* packed = memory.packed.of(kTaps * panel);
             for (int64_t m = from * kPanel; m < to * kPanel; m += kPanel) {
               for (int64_t t = 0; t < kTaps; ++t)
                 pack_panel(weight, s.in, columns, t * s.out + m, packed + t * panel);
               // The nine taps of some images stay in this thread's cache until they are summed.
               for (int64_t group = first_group; group < last_group; ++group) {
                 const int64_t first = group * images, last = std::min(first + images, s.images),
                               pixels = (last - first) * size;
                 float* taps = memory.sums.of(kTaps * pixels * kPanel);
                 const LeftSide<T> left{x + first * size * s.in, s.in, kStep<T>, kTile * s.in, 0};
                 for (int64_t t = 0; t < kTaps; ++t) {
                   multiply_panel(left, packed + t * panel, s.in / kStep<T>, 1, pixels / kTile,
                                  taps + t * pixels * kPanel, kPanel, kTile * kPanel, false);
                 }
                 collapse_taps(s, taps, first, last, m, memory.line, y);
               }
             }
           });
}

template <class T>
void up_products_backward(const UpShape& s, const T* g, const T* x, const float* weight, T* gx,
                          float* gweight) {
  if (gx != nullptr) data_gradient(s, g, weight, gx);
  if (gweight != nullptr) weight_gradient(s, g, x, gweight);
}

template void up_products_forward(const UpShape&, const float*, const float*, float*);
template void up_products_forward(const UpShape&, const c10::BFloat16*, const float*,
                                  c10::BFloat16*);
template void up_products_backward(const UpShape&, const float*, const float*, const float*, float*,
                                   float*);
template void up_products_backward(const UpShape&, const c10::BFloat16*, const c10::BFloat16*,
                                   const float*, c10::BFloat16*, float*);

}  // namespace scintigen
