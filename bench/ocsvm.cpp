// SPDX-License-Identifier: Apache-2.0
// bench_ocsvm FILE MACHINES CONTROLS FEATURES: one-class machines of `bench/run ocsvm`, one thread.
// FILE holds float32 [machines][controls][features]. For each line on stdin:
//   ours            milliseconds for all machines with scintigen
//   libsvm EPSILON  the same with LIBSVM, training alone (its examples stand ready)
//   compare         at LIBSVM's EPSILON 1e-9: largest difference of a decision and of rho in units
//                   of the machine's largest |decision|, of its own examples and of those of the
//                   next machine (few controls may all lie on the border, where decisions are 0);
//                   then how many machines have other support sets, support vectors and products
#include <ATen/Parallel.h>
#include <libsvm/svm.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "bench.h"
#include "core/error.h"
#include "detection/one_class_svm.h"

namespace scintigen {
namespace {

struct Machines {
  int64_t count, controls, features;
  std::vector<float> values;
  std::vector<std::vector<svm_node>> nodes;  // features + 1 an example
  std::vector<double> variance;
  const float* example(int64_t v, int64_t i) const {
    return values.data() + (v * controls + i) * features;
  }
};

Machines read_machines(const std::vector<std::string>& words) {
  Machines m{std::stol(words[2]), std::stol(words[3]), std::stol(words[4]), {}, {}, {}};
  m.values.resize(static_cast<size_t>(m.count * m.controls * m.features));
  std::ifstream file(words[1], std::ios::binary);
  file.read(reinterpret_cast<char*>(m.values.data()),
            static_cast<std::streamsize>(m.values.size() * sizeof(float)));
  if (!file) throw Error("{}: is shorter than its shape", words[1]);
  for (int64_t v = 0; v < m.count; ++v) {
    std::vector<svm_node> nodes;
    double sum = 0, square = 0;
    for (int64_t i = 0; i < m.controls; ++i) {
      for (int64_t k = 0; k < m.features; ++k) {
        const double x = m.example(v, i)[k];
        nodes.push_back({static_cast<int>(k) + 1, x});
        sum += x;
        square += x * x;
      }
      nodes.push_back({-1, 0});
    }
    const auto size = static_cast<double>(m.controls * m.features);
    m.variance.push_back(square / size - sum / size * (sum / size));
    m.nodes.push_back(std::move(nodes));
  }
  return m;
}

/// LIBSVM's model of machine v; the examples must outlive it.
svm_model* train_libsvm(Machines& m, int64_t v, double epsilon) {
  std::vector<svm_node*> rows;
  for (int64_t i = 0; i < m.controls; ++i)
    rows.push_back(m.nodes[static_cast<size_t>(v)].data() + i * (m.features + 1));
  std::vector<double> labels(rows.size(), 1);
  const svm_problem problem{static_cast<int>(m.controls), labels.data(), rows.data()};
  svm_parameter how{};
  how.svm_type = ONE_CLASS;
  how.kernel_type = RBF;
  how.gamma = 1 / (m.variance[static_cast<size_t>(v)] * static_cast<double>(m.features));
  how.nu = 0.03;
  how.eps = epsilon;
  how.cache_size = 100;
  how.shrinking = 1;
  return svm_train(&problem, &how);
}

template <class Take>
void train_ours(const Machines& m, const Take& take) {
  OneClassSolver solver(m.controls, m.features, {});
  for (int64_t v = 0; v < m.count; ++v) {
    solver.take_examples(m.example(v, 0));
    take(v, solver.solve(), solver.coefficients());
  }
}

void compare(Machines& m) {
  double decision = 0, offset = 0, support = 0;
  int64_t other_sets = 0, products = 0;
  train_ours(m, [&](int64_t v, const OneClassFit& fit, const float* a) {
    svm_model* model = train_libsvm(m, v, 1e-9);
    products += fit.products;
    double worst = 0, largest = 0;
    for (const int64_t machine : {v, (v + 1) % m.count})  // its own examples, and new ones
      for (int64_t i = 0; i < m.controls; ++i) {
        double value = 0;
        svm_predict_values(
            model, m.nodes[static_cast<size_t>(machine)].data() + i * (m.features + 1), &value);
        const double own = decide_one_class(m.example(v, 0), a, m.controls, m.features,
                                            m.example(machine, i), fit.gamma, fit.rho);
        worst = std::max(worst, std::abs(own - value));
        largest = std::max(largest, std::abs(value));
      }
    decision = std::max(decision, worst / largest);
    offset = std::max(offset, std::abs(fit.rho - model->rho[0]) / largest);
    int64_t own_support = 0;
    std::vector<bool> theirs(static_cast<size_t>(m.controls));
    for (int k = 0; k < model->l; ++k) theirs[static_cast<size_t>(model->sv_indices[k] - 1)] = true;
    bool same = true;
    for (int64_t i = 0; i < m.controls; ++i) {
      own_support += a[i] > 0;
      same = same && (a[i] > 0) == theirs[static_cast<size_t>(i)];
    }
    support += static_cast<double>(own_support);
    other_sets += !same;
    svm_free_and_destroy_model(&model);
  });
  const auto count = static_cast<double>(m.count);
  std::printf("%.3g %.3g %ld %.1f %.1f\n", decision, offset, other_sets, support / count,
              static_cast<double>(products) / count);
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  if (words.size() != 5) throw Error("usage: bench_ocsvm FILE MACHINES CONTROLS FEATURES");
  at::set_num_threads(1);
  svm_set_print_string_function([](const char*) {});
  auto machines = read_machines(words);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream what(line);
    std::string side;
    double epsilon = 1e-3;
    what >> side >> epsilon;
    const auto begin = std::chrono::steady_clock::now();
    if (side == "compare") {
      compare(machines);
    } else {
      if (side == "ours") {
        train_ours(machines, [](int64_t, const OneClassFit&, const float*) {});
      } else {
        for (int64_t v = 0; v < machines.count; ++v) {
          svm_model* model = train_libsvm(machines, v, epsilon);
          svm_free_and_destroy_model(&model);
        }
      }
      std::printf("%.6g\n", std::chrono::duration<double, std::milli>(
                                std::chrono::steady_clock::now() - begin)
                                .count());
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace scintigen
