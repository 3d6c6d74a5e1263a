# SPDX-License-Identifier: Apache-2.0
# One step of cmake/web.cmake: copies FILES of WEB_SOURCE to WEB_FOLDER and runs npm there (STEP: install, build).
cmake_minimum_required(VERSION 3.25)

foreach(file IN LISTS FILES)
  get_filename_component(folder ${file} DIRECTORY)
  file(COPY ${WEB_SOURCE}/${file} DESTINATION ${WEB_FOLDER}/${folder})
endforeach()
if(STEP STREQUAL "install")
  file(REMOVE ${WEB_FOLDER}/installed)
  # No script of a package runs: nothing here needs one.
  set(arguments ci --include=dev --ignore-scripts --prefer-offline --no-progress)
else()
  # A source that is gone must not stay in the copy.
  file(GLOB copies RELATIVE ${WEB_FOLDER} ${WEB_FOLDER}/src/*)
  foreach(copy IN LISTS copies)
    if(NOT copy IN_LIST FILES)
      file(REMOVE ${WEB_FOLDER}/${copy})
    endif()
  endforeach()
  set(arguments run build)
endif()
execute_process(COMMAND ${NPM} ${arguments} WORKING_DIRECTORY ${WEB_FOLDER} RESULT_VARIABLE status
                OUTPUT_FILE ${WEB_FOLDER}/npm.log ERROR_FILE ${WEB_FOLDER}/npm.log)
if(NOT status EQUAL 0)
  file(READ ${WEB_FOLDER}/npm.log log)
  message("${log}")
  message(FATAL_ERROR "npm ${arguments} failed (above). Without a connection to npm's registry or a filled cache: "
    "-DSCINTIGEN_WEB=OFF builds reports with static plots.")
endif()
if(STEP STREQUAL "install")
  file(TOUCH ${WEB_FOLDER}/installed)
endif()
