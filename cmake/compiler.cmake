# SPDX-License-Identifier: Apache-2.0
# Flags are the same for every target of the project: GCC takes a precompiled header only under the flags it was made
# with. No -march: the program runs on any x86-64 machine (models/ chooses instructions at run time).

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# -fPIC for executables too (CMake would give them -fPIE, and another precompiled header).
add_compile_options(-fPIC $<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
# LibTorch's inline at::parallel_for differs without it.
add_compile_options(${OpenMP_CXX_FLAGS})
# Nothing reads errno after sqrt; without this it cannot become a vector instruction (training/adam.cpp).
add_compile_options(-fno-math-errno)

if(SCINTIGEN_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(SCINTIGEN_CCACHE ccache)
mark_as_advanced(SCINTIGEN_CCACHE)
if(SCINTIGEN_CCACHE)
  # ccache caches files with a precompiled header only under these two liberties.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${SCINTIGEN_CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

set(SCINTIGEN_WARNINGS -Wall -Wextra)
if(SCINTIGEN_WERROR)
  list(APPEND SCINTIGEN_WARNINGS -Werror)
endif()
add_compile_options(${SCINTIGEN_WARNINGS})

# One precompiled header for every target. <torch/types.h> costs 6 s a file, precompiled under 2 s. The larger
# <torch/torch.h> is not in it: GCC instantiates what such a header left pending again in every file (3.6 s each).
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled.cpp CONTENT "// Owner of the precompiled header.\n")
add_library(scintigen_precompiled OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/precompiled.cpp)
target_link_libraries(scintigen_precompiled PRIVATE torch torch_library fmt::fmt nlohmann_json::nlohmann_json)
target_precompile_headers(scintigen_precompiled PRIVATE
  <torch/types.h> <torch/nn/module.h> <torch/nn/pimpl.h> <fmt/format.h> <nlohmann/json.hpp>
  <filesystem> <fstream> <functional> <map> <memory> <string> <vector>)

# What every target of the project gets.
function(scintigen_own_code target)
  target_precompile_headers(${target} REUSE_FROM scintigen_precompiled)
endfunction()
