# SPDX-License-Identifier: Apache-2.0
# web/src -> one script, by npm and Vite, which src/report/page_assets.cpp embeds. Everything happens in the build
# folder; the source tree is not written to. npm's lines go to web/npm.log, shown if it fails.
# Sets SCINTIGEN_WEB_SCRIPT; empty without SCINTIGEN_WEB.

set(SCINTIGEN_WEB_SCRIPT "")
if(NOT SCINTIGEN_WEB)
  return()
endif()
find_program(SCINTIGEN_NPM npm)
find_program(SCINTIGEN_NODE NAMES node nodejs)
mark_as_advanced(SCINTIGEN_NPM SCINTIGEN_NODE)
if(NOT SCINTIGEN_NPM OR NOT SCINTIGEN_NODE)
  message(FATAL_ERROR "npm and node are needed for the report's interactive plots and were not found: "
    "run scripts/install, or leave the plots out with -DSCINTIGEN_WEB=OFF (the report then has static ones).")
endif()

set(web_folder ${PROJECT_BINARY_DIR}/web)
set(web_manifest package.json package-lock.json .npmrc)
file(GLOB web_sources CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/web ${PROJECT_SOURCE_DIR}/web/src/*.ts)
list(APPEND web_sources tsconfig.json vite.config.js)
list(TRANSFORM web_manifest PREPEND ${PROJECT_SOURCE_DIR}/web/ OUTPUT_VARIABLE web_manifest_paths)
list(TRANSFORM web_sources PREPEND ${PROJECT_SOURCE_DIR}/web/ OUTPUT_VARIABLE web_source_paths)
set(web_step ${CMAKE_COMMAND} -DWEB_SOURCE=${PROJECT_SOURCE_DIR}/web -DWEB_FOLDER=${web_folder}
    -DNPM=${SCINTIGEN_NPM})

add_custom_command(OUTPUT ${web_folder}/installed
  COMMAND ${web_step} "-DFILES=${web_manifest}" -DSTEP=install -P ${PROJECT_SOURCE_DIR}/cmake/run_npm.cmake
  DEPENDS ${web_manifest_paths} ${PROJECT_SOURCE_DIR}/cmake/run_npm.cmake
  COMMENT "Installing what the report's script is built with (npm)" VERBATIM)
set(SCINTIGEN_WEB_SCRIPT ${web_folder}/out/report.js)
add_custom_command(OUTPUT ${SCINTIGEN_WEB_SCRIPT}
  COMMAND ${web_step} "-DFILES=${web_sources}" -DSTEP=build -P ${PROJECT_SOURCE_DIR}/cmake/run_npm.cmake
  DEPENDS ${web_folder}/installed ${web_source_paths} ${PROJECT_SOURCE_DIR}/cmake/run_npm.cmake
  COMMENT "Building the report's script (Vite)" VERBATIM)
