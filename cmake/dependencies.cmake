# SPDX-License-Identifier: Apache-2.0
# Everything scintigen is linked to; packages by name in scripts/packages.

find_package(Torch REQUIRED)
if(Torch_VERSION VERSION_GREATER_EQUAL 2.12)  # its headers want C++20
  set(CMAKE_CXX_STANDARD 20)
else()
  set(CMAKE_CXX_STANDARD 17)
endif()
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost 1.74 REQUIRED)  # headers: Boost.Math

if(SCINTIGEN_IMAGING)
  find_package(DCMTK REQUIRED)
endif()
