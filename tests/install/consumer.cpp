// SPDX-License-Identifier: Apache-2.0
// What a user of the library writes first: a tensor to a file and back.
#include <core/error.h>
#include <core/safetensors.h>
#include <models/fastgan.h>

#include <cstdio>

int main() {
  try {
    scintigen::FastganGenerator generator(scintigen::FastganSettings(), 3);
    generator->eval();
    torch::NoGradGuard no_gradient;
    const auto image = generator->forward(torch::zeros({1, 256}), torch::zeros({1, 3}));
    scintigen::write_tensors("image.safetensors", {{"image", image}});
    const auto again = scintigen::read_tensors("image.safetensors");
    const bool same = torch::equal(again.at("image"), image);
    std::printf("consumer: %s\n", same ? "the same image came back" : "another image came back");
    return same ? 0 : 1;
  } catch (const scintigen::Error& error) {
    std::fprintf(stderr, "consumer: %s\n", error.what());
    return 2;
  }
}
