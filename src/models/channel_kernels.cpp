// SPDX-License-Identifier: Apache-2.0
#include "models/channel_kernels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "models/vector_loops.h"

namespace scintigen {
namespace {

using c10::BFloat16;

/// exp(-x) within 2 ulp, without a branch; arguments beyond +-87 saturate.
SCINTIGEN_INLINE float exp_minus(float x) {
  const float y = std::min(std::max(-x, -87.0f), 87.0f);
  const float shifted =
      y * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to an integer in the low bits
  const float n = shifted - 12582912.0f;
  const float r = (y - n * 0.693145752f) - n * 1.42860677e-6f;
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = (p * r) * r + r + 1.0f;
  int32_t bits, exponent;
  std::memcpy(&exponent, &shifted, 4);
  std::memcpy(&bits, &p, 4);
  bits += exponent << 23;  // the low bits of `shifted` hold n
  std::memcpy(&p, &bits, 4);
  return p;
}
SCINTIGEN_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp_minus(x)); }

/// `value` where z > 0, elsewhere slope times `value`. As a sum of two choices: GCC makes a branch
/// of `z > 0 ? 1 : slope` times `value`, and then no vector instructions.
SCINTIGEN_INLINE float leaky(float value, float z, float slope) {
  const float kept = z > 0 ? value : 0.0f, reduced = z > 0 ? 0.0f : value;
  return kept + slope * reduced;
}

/// Calls body.template operator()<lanes>(first channel) over all channels.
template <class Body>
SCINTIGEN_INLINE void over_channels(int64_t channels, const Body body) {
  int64_t c = 0;
  for (; c + 32 <= channels; c += 32) body.template run<32>(c);
  for (; c + 8 <= channels; c += 8) body.template run<8>(c);
  for (; c < channels; ++c) body.template run<1>(c);
}

template <class T>
struct Moments {  // shift by the first row: no cancellation where the mean is large against the
                  // deviation
  const T* x;
  int64_t rows, channels;
  float *first, *sum, *square;
  template <int L>
  SCINTIGEN_INLINE void run(int64_t c) const {
    float k[L], s[L] = {}, q[L] = {};
    for (int l = 0; l < L; ++l) k[l] = load(x + c + l);
    for (int64_t r = 1; r < rows; ++r) {
      const T* row = x + r * channels + c;
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const float d = load(row + l) - k[l];
        s[l] += d;
        q[l] += d * d;
      }
    }
    for (int l = 0; l < L; ++l) first[c + l] = k[l], sum[c + l] = s[l], square[c + l] = q[l];
  }
};

template <class T>
struct LeakyForward {
  const T* x;
  const float *scale, *shift;
  const T* residual;
  float slope;
  int64_t rows, channels, y_step;
  T* y;
  template <int L>
  SCINTIGEN_INLINE void run(int64_t c) const {
    float a[L], b[L];
    for (int l = 0; l < L; ++l) a[l] = scale[c + l], b[l] = shift[c + l];
    if (residual == nullptr) {
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t at = r * channels + c;
        T* to = y + r * y_step + c;
#pragma omp simd
        for (int l = 0; l < L; ++l) {
          const float z = load(x + at + l) * a[l] + b[l];
          store(leaky(z, z, slope), to + l);
        }
      }
      return;
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * channels + c;
      T* to = y + r * y_step + c;
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const float z = load(x + at + l) * a[l] + b[l];
        store(leaky(z, z, slope) + load(residual + at + l), to + l);
      }
    }
  }
};

template <class T>
struct LeakySums {
  const T *g, *x;
  const float *scale, *shift, *mean;
  float slope;
  int64_t rows, channels, g_step;
  float *sum, *moment;
  template <int L>
  SCINTIGEN_INLINE void run(int64_t c) const {
    float a[L], b[L], m[L], s[L] = {}, q[L] = {};
    for (int l = 0; l < L; ++l) a[l] = scale[c + l], b[l] = shift[c + l], m[l] = mean[c + l];
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * channels + c, above = r * g_step + c;
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const float v = load(x + at + l), up = load(g + above + l);
        const float gz = leaky(up, v * a[l] + b[l], slope);
        s[l] += gz;
        q[l] += gz * (v - m[l]);
      }
    }
    for (int l = 0; l < L; ++l) sum[c + l] = s[l], moment[c + l] = q[l];
  }
};

template <class T>
struct LeakyBackward {
  const T *g, *x;
  const float *scale, *shift;
  float slope;
  const float *a, *b, *c;
  int64_t rows, channels, g_step;
  T* gx;
  template <int L>
  SCINTIGEN_INLINE void run(int64_t from) const {
    float sc[L], sh[L], fa[L], fb[L], fc[L];
    for (int l = 0; l < L; ++l) {
      sc[l] = scale[from + l], sh[l] = shift[from + l];
      fa[l] = a[from + l], fb[l] = b[from + l], fc[l] = c[from + l];
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = r * channels + from, above = r * g_step + from;
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const float v = load(x + at + l), up = load(g + above + l);
        const float gz = leaky(up, v * sc[l] + sh[l], slope);
        store(fa[l] * gz + fb[l] * v + fc[l], gx + at + l);
      }
    }
  }
};

template <class T>
struct GateForward {
  const T* x;
  const float *scale, *shift;
  int64_t rows, channels;
  T* y;
  template <int L>
  SCINTIGEN_INLINE void run(int64_t c) const {
    float a[L], b[L], p[L], q[L];
    for (int l = 0; l < L; ++l) {
      a[l] = scale[c + l], b[l] = shift[c + l];
      p[l] = scale[channels + c + l], q[l] = shift[channels + c + l];
    }
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = x + 2 * r * channels + c;
      T* out = y + r * channels + c;
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const float value = load(row + l) * a[l] + b[l];
        store(value * sigmoid(load(row + channels + l) * p[l] + q[l]), out + l);
      }
    }
  }
};

template <class T>
struct GateSums {
  const T *g, *x;
  const float *scale, *shift, *mean;
  int64_t rows, channels;
  float *sum, *moment;
  template <int L>
  SCINTIGEN_INLINE void run(int64_t c) const {
    const int64_t half = channels;
    float a[L], b[L], p[L], q[L], m[L], n[L], s0[L] = {}, s1[L] = {}, q0[L] = {}, q1[L] = {};
    for (int l = 0; l < L; ++l) {
      a[l] = scale[c + l], b[l] = shift[c + l], m[l] = mean[c + l];
      p[l] = scale[half + c + l], q[l] = shift[half + c + l], n[l] = mean[half + c + l];
    }
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = x + 2 * r * half + c;
      const T* up = g + r * half + c;
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const float v = load(row + l), w = load(row + half + l), o = load(up + l);
        const float gate = sigmoid(w * p[l] + q[l]);
        const float gv = o * gate;
        const float gw = gv * (1.0f - gate) * (v * a[l] + b[l]);
        s0[l] += gv;
        s1[l] += gw;
        q0[l] += gv * (v - m[l]);
        q1[l] += gw * (w - n[l]);
      }
    }
    for (int l = 0; l < L; ++l) {
      sum[c + l] = s0[l], sum[half + c + l] = s1[l];
      moment[c + l] = q0[l], moment[half + c + l] = q1[l];
    }
  }
};

template <class T>
struct GateBackward {
  const T *g, *x;
  const float *scale, *shift, *fa, *fb, *fc;
  int64_t rows, channels;
  T* gx;
  template <int L>
  SCINTIGEN_INLINE void run(int64_t c) const {
    const int64_t half = channels;
    float a[L], b[L], p[L], q[L], f0[L], f1[L], f2[L], h0[L], h1[L], h2[L];
    for (int l = 0; l < L; ++l) {
      a[l] = scale[c + l], b[l] = shift[c + l], p[l] = scale[half + c + l],
      q[l] = shift[half + c + l];
      f0[l] = fa[c + l], f1[l] = fb[c + l], f2[l] = fc[c + l];
      h0[l] = fa[half + c + l], h1[l] = fb[half + c + l], h2[l] = fc[half + c + l];
    }
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = 2 * r * half + c;
      const T* up = g + r * half + c;
#pragma omp simd
      for (int l = 0; l < L; ++l) {
        const float v = load(x + at + l), w = load(x + at + half + l);
        const float gate = sigmoid(w * p[l] + q[l]);
        const float gv = load(up + l) * gate;
        const float gw = gv * (1.0f - gate) * (v * a[l] + b[l]);
        store(f0[l] * gv + f1[l] * v + f2[l], gx + at + l);
        store(h0[l] * gw + h1[l] * w + h2[l], gx + at + half + l);
      }
    }
  }
};

/// A body over all channels, compiled for each instruction set. (A template cannot be
/// multiversioned, so: one for each.)
#define SCINTIGEN_RUN(Body, T) \
  SCINTIGEN_CLONES void run_clone(const Body<T> body) { over_channels(body.channels, body); }
#define SCINTIGEN_RUN_BOTH(Body) \
  SCINTIGEN_RUN(Body, float)     \
  SCINTIGEN_RUN(Body, BFloat16)
SCINTIGEN_RUN_BOTH(Moments)
SCINTIGEN_RUN_BOTH(LeakyForward)
SCINTIGEN_RUN_BOTH(LeakySums)
SCINTIGEN_RUN_BOTH(LeakyBackward)
SCINTIGEN_RUN_BOTH(GateForward)
SCINTIGEN_RUN_BOTH(GateSums)
SCINTIGEN_RUN_BOTH(GateBackward)

/// Rows are cut into at most 64 pieces of at least 32 rows, whatever the number of threads.
struct Pieces {
  explicit Pieces(int64_t total) : rows(total), length(std::max<int64_t>(32, (total + 63) / 64)) {}
  int64_t count() const { return (rows + length - 1) / length; }
  template <class Work>
  void run(const Work& work) const {  // work(piece, first row, rows)
    at::parallel_for(0, count(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        work(i, i * length, std::min(length, rows - i * length));
    });
  }
  int64_t rows, length;
};

/// Adds the pieces' sums in their order.
void add_pieces(const std::vector<float>& parts, int64_t pieces, int64_t channels, float* sum) {
  std::vector<double> total(static_cast<size_t>(channels), 0.0);
  for (int64_t i = 0; i < pieces; ++i) {
    for (int64_t c = 0; c < channels; ++c) {
      total[static_cast<size_t>(c)] += parts[static_cast<size_t>(i * channels + c)];
    }
  }
  std::copy(total.begin(), total.end(), sum);
}

template <class T>
SCINTIGEN_INLINE void add_four(const T* a, const T* b, const T* c, const T* d, int64_t count,
                               T* y) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i)
    store((load(a + i) + load(b + i)) + (load(c + i) + load(d + i)), y + i);
}
SCINTIGEN_CLONES void add_four_clone(const float* a, const float* b, const float* c, const float* d,
                                     int64_t count, float* y) {
  add_four(a, b, c, d, count, y);
}
SCINTIGEN_CLONES void add_four_clone(const BFloat16* a, const BFloat16* b, const BFloat16* c,
                                     const BFloat16* d, int64_t count, BFloat16* y) {
  add_four(a, b, c, d, count, y);
}

}  // namespace

template <class T>
void channel_moments(const T* x, int64_t rows, int64_t channels, float* mean, float* variance) {
  const Pieces pieces(rows);
  const auto size = static_cast<size_t>(pieces.count() * channels);
  std::vector<float> first(size), sum(size), square(size);
  pieces.run([&](int64_t i, int64_t from, int64_t count) {
    const int64_t at = i * channels;
    run_clone(Moments<T>{x + from * channels, count, channels, &first[at], &sum[at], &square[at]});
  });
  for (int64_t c = 0; c < channels;
       ++c) {  // Chan et al. 1979: joining means and squared deviations
    double n = 0, m = 0, deviation = 0;
    for (int64_t i = 0; i < pieces.count(); ++i) {
      const auto at = static_cast<size_t>(i * channels + c);
      const double k = static_cast<double>(std::min(pieces.length, rows - i * pieces.length));
      const double step = first[at] + sum[at] / k - m;
      deviation +=
          square[at] - static_cast<double>(sum[at]) * sum[at] / k + step * step * n * k / (n + k);
      m += step * k / (n + k);
      n += k;
    }
    mean[c] = static_cast<float>(m);
    variance[c] = static_cast<float>(std::max(0.0, deviation / n));
  }
}

template <class T>
void leaky_forward(const T* x, const float* scale, const float* shift, const T* residual,
                   float slope, int64_t rows, int64_t channels, T* y, int64_t y_step) {
  Pieces(rows).run([&](int64_t, int64_t from, int64_t count) {
    const int64_t at = from * channels;
    run_clone(LeakyForward<T>{x + at, scale, shift, residual == nullptr ? nullptr : residual + at,
                              slope, count, channels, y_step, y + from * y_step});
  });
}

template <class T>
void leaky_backward_sums(const T* g, int64_t g_step, const T* x, const float* scale,
                         const float* shift, const float* mean, float slope, int64_t rows,
                         int64_t channels, float* sum, float* moment) {
  const Pieces pieces(rows);
  std::vector<float> sums(static_cast<size_t>(pieces.count() * channels)), moments(sums.size());
  pieces.run([&](int64_t i, int64_t from, int64_t count) {
    const int64_t at = from * channels;
    run_clone(LeakySums<T>{g + from * g_step, x + at, scale, shift, mean, slope, count, channels,
                           g_step, &sums[i * channels], &moments[i * channels]});
  });
  add_pieces(sums, pieces.count(), channels, sum);
  add_pieces(moments, pieces.count(), channels, moment);
}

template <class T>
void leaky_backward(const T* g, int64_t g_step, const T* x, const float* scale, const float* shift,
                    float slope, const float* a, const float* b, const float* c, int64_t rows,
                    int64_t channels, T* gx) {
  Pieces(rows).run([&](int64_t, int64_t from, int64_t count) {
    const int64_t at = from * channels;
    run_clone(LeakyBackward<T>{g + from * g_step, x + at, scale, shift, slope, a, b, c, count,
                               channels, g_step, gx + at});
  });
}

template <class T>
void gate_forward(const T* x, const float* scale, const float* shift, int64_t rows,
                  int64_t channels, T* y) {
  Pieces(rows).run([&](int64_t, int64_t from, int64_t count) {
    run_clone(GateForward<T>{x + 2 * from * channels, scale, shift, count, channels,
                             y + from * channels});
  });
}

template <class T>
void gate_backward_sums(const T* g, const T* x, const float* scale, const float* shift,
                        const float* mean, int64_t rows, int64_t channels, float* sum,
                        float* moment) {
  const Pieces pieces(rows);
  const int64_t wide = 2 * channels;
  std::vector<float> sums(static_cast<size_t>(pieces.count() * wide)), moments(sums.size());
  pieces.run([&](int64_t i, int64_t from, int64_t count) {
    run_clone(GateSums<T>{g + from * channels, x + from * wide, scale, shift, mean, count, channels,
                          &sums[i * wide], &moments[i * wide]});
  });
  add_pieces(sums, pieces.count(), wide, sum);
  add_pieces(moments, pieces.count(), wide, moment);
}

template <class T>
void gate_backward(const T* g, const T* x, const float* scale, const float* shift, const float* a,
                   const float* b, const float* c, int64_t rows, int64_t channels, T* gx) {
  Pieces(rows).run([&](int64_t, int64_t from, int64_t count) {
    run_clone(GateBackward<T>{g + from * channels, x + 2 * from * channels, scale, shift, a, b, c,
                              count, channels, gx + 2 * from * channels});
  });
}

template <class T>
void box_sum(const T* x, int64_t n, int64_t height, int64_t width, int64_t channels, int64_t border,
             T* y) {
  const int64_t out_height = height - 1 + 2 * border, out_width = width - 1 + 2 * border;
  const std::vector<T> zeros(static_cast<size_t>(width * channels), T(0));
  at::parallel_for(0, n * out_height, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t i = r % out_height - border;
      const T* image = x + (r / out_height) * height * width * channels;
      const T* upper = i >= 0 ? image + i * width * channels : zeros.data();
      const T* lower = i + 1 < height ? image + (i + 1) * width * channels : zeros.data();
      T* out = y + r * out_width * channels;
      // Away from the sides the four terms run along the row together; columns -1 and `width` are
      // zero.
      const int64_t inner = (width - 1) * channels;
      add_four_clone(upper, upper + channels, lower, lower + channels, inner,
                     out + border * channels);
      if (border == 1) {
        add_four_clone(zeros.data(), upper, zeros.data(), lower, channels, out);
        add_four_clone(upper + inner, zeros.data(), lower + inner, zeros.data(), channels,
                       out + channels + inner);
      }
    }
  });
}

#define SCINTIGEN_INSTANTIATE(T)                                                                 \
  template void channel_moments(const T*, int64_t, int64_t, float*, float*);                     \
  template void leaky_forward(const T*, const float*, const float*, const T*, float, int64_t,    \
                              int64_t, T*, int64_t);                                             \
  template void leaky_backward_sums(const T*, int64_t, const T*, const float*, const float*,     \
                                    const float*, float, int64_t, int64_t, float*, float*);      \
  template void leaky_backward(const T*, int64_t, const T*, const float*, const float*, float,   \
                               const float*, const float*, const float*, int64_t, int64_t, T*);  \
  template void gate_forward(const T*, const float*, const float*, int64_t, int64_t, T*);        \
  template void gate_backward_sums(const T*, const T*, const float*, const float*, const float*, \
                                   int64_t, int64_t, float*, float*);                            \
  template void gate_backward(const T*, const T*, const float*, const float*, const float*,      \
                              const float*, const float*, int64_t, int64_t, T*);                 \
  template void box_sum(const T*, int64_t, int64_t, int64_t, int64_t, int64_t, T*);
SCINTIGEN_INSTANTIATE(float)
SCINTIGEN_INSTANTIATE(BFloat16)

}  // namespace scintigen
