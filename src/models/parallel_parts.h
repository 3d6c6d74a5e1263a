// SPDX-License-Identifier: Apache-2.0
// How independent work is cut for the threads there are. The cut never changes a result.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace scintigen {

/// Cuts rows x columns: by rows first, so that a thread meets the images it met in the layer before
/// (cores may not share a cache), and by columns where rows are too few. work(first row, last row,
/// first column, last column).
template <class Work>
void in_parts(int64_t rows, int64_t columns, const Work& work) {
  const int64_t threads = at::get_num_threads(), by_row = std::min(rows, threads);
  const int64_t by_column = std::min(columns, (threads + by_row - 1) / by_row);
  at::parallel_for(0, by_row * by_column, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t r = part / by_column, c = part % by_column;
      work(r * rows / by_row, (r + 1) * rows / by_row, c * columns / by_column,
           (c + 1) * columns / by_column);
    }
  });
}

/// The same in units, rows x columns of them: as many for every thread where rows are few and do
/// not divide. Units lie row by row. work(first unit, last unit).
template <class Work>
void in_even_parts(int64_t rows, int64_t columns, const Work& work) {
  const int64_t units = rows * columns, parts = std::min<int64_t>(units, at::get_num_threads());
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      work(part * units / parts, (part + 1) * units / parts);
  });
}

}  // namespace scintigen
