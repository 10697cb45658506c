# What `cmake --install` installs: the headers, the CMake package and the pkg-config file. Nothing depends on the machine
# that it was built on, and all of it may be moved together.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(trine_cmake_dir ${CMAKE_INSTALL_DATADIR}/cmake/trine)
set(trine_pkgconfig_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)

install(TARGETS trine EXPORT trine FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT trine NAMESPACE trine:: FILE trineTargets.cmake DESTINATION ${trine_cmake_dir})

configure_package_config_file(
  cmake/config.cmake.in ${PROJECT_BINARY_DIR}/trineConfig.cmake
  INSTALL_DESTINATION ${trine_cmake_dir}
  NO_SET_AND_CHECK_MACRO
)

# A new minor version may change the interface as long as the major version is 0.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(trine_compatibility SameMinorVersion)
else()
  set(trine_compatibility SameMajorVersion)
endif()
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/trineConfigVersion.cmake
  COMPATIBILITY ${trine_compatibility}
  ARCH_INDEPENDENT
)

install(
  FILES ${PROJECT_BINARY_DIR}/trineConfig.cmake ${PROJECT_BINARY_DIR}/trineConfigVersion.cmake
  DESTINATION ${trine_cmake_dir}
)
install(FILES cmake/components.cmake DESTINATION ${trine_cmake_dir} RENAME trineComponents.cmake)

# pkg-config finds the prefix from where the file lies.
file(RELATIVE_PATH trine_prefix_from_pc /prefix/${trine_pkgconfig_dir} /prefix)
string(REGEX REPLACE "/$" "" trine_prefix_from_pc "${trine_prefix_from_pc}")
configure_file(cmake/trine.pc.in ${PROJECT_BINARY_DIR}/trine.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/trine.pc DESTINATION ${trine_pkgconfig_dir})
