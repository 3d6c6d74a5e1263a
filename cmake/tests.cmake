# SPDX-License-Identifier: Apache-2.0
# tests/<room>/test_*.cpp -> one executable test_<room>, one CTest test a TEST(); tests/cli/**/*.sh -> one test a script.
# Label `slow` (left out of scripts/test, run by scripts/test --all): a suite or test whose name ends in "Slow"
# (TEST(FastganSlow, ...) or TEST(Fastgan, TrainsSlow)), and a script *_slow.sh.
# Tests run side by side: threads that wait give their processor away (OMP_WAIT_POLICY).
find_package(GTest REQUIRED)
include(GoogleTest)

set(fast_timeout_s 120)
if(SCINTIGEN_SANITIZE)
  set(fast_timeout_s 1200)
endif()

foreach(room IN ITEMS core models metrics cohort training synthesis detection simulate imaging report)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${room}/test_*.cpp)
  if(NOT sources OR NOT TARGET scintigen_${room})
    continue()
  endif()
  add_executable(test_${room} ${sources} tests/seeded.cpp)
  target_link_libraries(test_${room} PRIVATE scintigen GTest::gtest_main)
  if(room STREQUAL "imaging")  # makes the files that it reads
    target_link_libraries(test_${room} PRIVATE DCMTK::dcmdata DCMTK::dcmjpeg DCMTK::dcmjpls)
  endif()
  target_include_directories(test_${room} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  set_source_files_properties(${sources} PROPERTIES COMPILE_DEFINITIONS
    "SCINTIGEN_TEST_GOLDEN=\"${PROJECT_SOURCE_DIR}/tests/golden\";SCINTIGEN_TEST_SOURCE=\"${PROJECT_SOURCE_DIR}\";SCINTIGEN_TEST_PROGRAM=\"${PROJECT_BINARY_DIR}/scintigen\"")
  scintigen_own_code(test_${room})
  gtest_discover_tests(test_${room} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX ${room}.
                       TEST_FILTER -*Slow.*:*Slow PROPERTIES LABELS fast TIMEOUT ${fast_timeout_s}
                       ENVIRONMENT OMP_WAIT_POLICY=PASSIVE)
  gtest_discover_tests(test_${room} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX ${room}.
                       TEST_FILTER *Slow.*:*Slow TEST_LIST test_${room}_slow
                       PROPERTIES LABELS slow TIMEOUT 1800 ENVIRONMENT OMP_WAIT_POLICY=PASSIVE)
endforeach()

# A report of made-up slices, for tests/report/browser.sh and for looking at.
add_executable(example_report tests/report/example_report.cpp tests/report/made_up_evaluation.cpp)
target_link_libraries(example_report PRIVATE scintigen_report)
target_include_directories(example_report PRIVATE ${PROJECT_SOURCE_DIR}/tests)
scintigen_own_code(example_report)
target_sources(test_report PRIVATE tests/report/made_up_evaluation.cpp)
add_test(NAME report.browser COMMAND ${PROJECT_SOURCE_DIR}/tests/cli/run_script.sh
         ${PROJECT_SOURCE_DIR}/tests/report/browser.sh $<TARGET_FILE:example_report> ${PROJECT_SOURCE_DIR})
set_tests_properties(report.browser PROPERTIES LABELS fast TIMEOUT ${fast_timeout_s} SKIP_RETURN_CODE 77
                     ENVIRONMENT OMP_WAIT_POLICY=PASSIVE)

file(GLOB_RECURSE scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cli/*.sh)
list(FILTER scripts EXCLUDE REGEX "/run_script\\.sh$")
foreach(script IN LISTS scripts)
  file(STRINGS ${script} uses_import REGEX "[ \"](import|prepare|export|siscom)( |$)")
  if(uses_import AND NOT SCINTIGEN_IMAGING)
    continue()
  endif()
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR}/tests ${script})
  string(REGEX REPLACE "\\.sh$" "" name ${name})
  string(REPLACE "/" "." name ${name})
  add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/cli/run_script.sh ${script}
           ${PROJECT_BINARY_DIR}/scintigen ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=PASSIVE SKIP_RETURN_CODE 77)
  if(name MATCHES "_slow$")
    set_tests_properties(${name} PROPERTIES LABELS slow TIMEOUT 1800)
  else()
    set_tests_properties(${name} PROPERTIES LABELS fast TIMEOUT ${fast_timeout_s})
  endif()
endforeach()
