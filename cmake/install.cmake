# SPDX-License-Identifier: Apache-2.0
# cmake --install, and find_package(scintigen) afterwards.
include(CMakePackageConfigHelpers)

install(TARGETS scintigen ${SCINTIGEN_ROOM_TARGETS} EXPORT scintigen ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS scintigen_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY src/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/scintigen
        FILES_MATCHING PATTERN "*.h" PATTERN "cli" EXCLUDE)
install(DIRECTORY recipes/ DESTINATION ${CMAKE_INSTALL_DATADIR}/scintigen/recipes FILES_MATCHING PATTERN "*.toml")

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/scintigen)
install(EXPORT scintigen NAMESPACE scintigen:: DESTINATION ${config_folder} FILE scintigenTargets.cmake)
configure_package_config_file(cmake/scintigenConfig.cmake.in ${PROJECT_BINARY_DIR}/scintigenConfig.cmake
                              INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/scintigenConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/scintigenConfig.cmake ${PROJECT_BINARY_DIR}/scintigenConfigVersion.cmake
        DESTINATION ${config_folder})
