// SPDX-License-Identifier: Apache-2.0
// Loops over channels-last maps on the CPU: batch-norm statistics, normalise-and-activate, their
// gradients, box sums. Does: float or bfloat16 in and out, float32 arithmetic, vectorised for what
// the processor has, threads of LibTorch.
//       Sums are cut into the same pieces whatever the number of threads, so the results are the
//       same bits.
// Does not: check shapes, know autograd (fused_layers.h does).
#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

namespace scintigen {

/// Mean and (biased) variance of each channel of x [rows,channels].
template <class T>
void channel_moments(const T* x, int64_t rows, int64_t channels, float* mean, float* variance);

/// y = leaky(scale x + shift) [+ residual], per channel. residual may be null. y's rows are y_step
/// elements apart: it may be some of the channels of a wider map.
template <class T>
void leaky_forward(const T* x, const float* scale, const float* shift, const T* residual,
                   float slope, int64_t rows, int64_t channels, T* y, int64_t y_step);

/// With g the gradient of y, its rows g_step apart, and gz = g leaky'(scale x + shift): sums over
/// rows of gz and gz (x - mean).
template <class T>
void leaky_backward_sums(const T* g, int64_t g_step, const T* x, const float* scale,
                         const float* shift, const float* mean, float slope, int64_t rows,
                         int64_t channels, float* sum, float* moment);

/// gx = a gz + b x + c, gz as above.
template <class T>
void leaky_backward(const T* g, int64_t g_step, const T* x, const float* scale, const float* shift,
                    float slope, const float* a, const float* b, const float* c, int64_t rows,
                    int64_t channels, T* gx);

/// x [rows,2 channels] -> y [rows,channels] = (scale x + shift)[first half] * sigmoid((scale x +
/// shift)[second half]).
template <class T>
void gate_forward(const T* x, const float* scale, const float* shift, int64_t rows,
                  int64_t channels, T* y);

/// As leaky_backward_sums for the gate; g [rows,channels], sums over 2 channels.
template <class T>
void gate_backward_sums(const T* g, const T* x, const float* scale, const float* shift,
                        const float* mean, int64_t rows, int64_t channels, float* sum,
                        float* moment);

template <class T>
void gate_backward(const T* g, const T* x, const float* scale, const float* shift, const float* a,
                   const float* b, const float* c, int64_t rows, int64_t channels, T* gx);

/// Sums over 2x2 windows. x [n,height,width,channels], zero outside -> y [n,height-1+2
/// border,width-1+2 border,channels], y(i,j) = sum of x(i-border..i-border+1,
/// j-border..j-border+1); border 0 or 1.
template <class T>
void box_sum(const T* x, int64_t n, int64_t height, int64_t width, int64_t channels, int64_t border,
             T* y);

}  // namespace scintigen
