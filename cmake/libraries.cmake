# libleat and libleat_testing from the layers; install, find_package(leat), leat.pc.
set(leat_objects)
foreach(layer base statestore runtime embedded kafka dsl)
  list(APPEND leat_objects $<TARGET_OBJECTS:leat_${layer}>)
endforeach()
set(leat_links PkgConfig::RDKAFKA PkgConfig::ROCKSDB PkgConfig::JANSSON Threads::Threads m)
set(leat_modules "rdkafka rocksdb jansson")
if(LEAT_WITH_HTTP)
  list(APPEND leat_objects $<TARGET_OBJECTS:leat_query>)
  list(APPEND leat_links PkgConfig::MICROHTTPD PkgConfig::CURL)
  string(APPEND leat_modules " libmicrohttpd libcurl")
endif()

add_library(leat ${leat_objects})
add_library(leat_test_library $<TARGET_OBJECTS:leat_testing>)
set_target_properties(leat_test_library PROPERTIES OUTPUT_NAME leat_testing EXPORT_NAME testing)
set_target_properties(leat leat_test_library PROPERTIES
  LINKER_LANGUAGE C VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_include_directories(leat INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
target_link_libraries(leat PRIVATE ${leat_links})
# Calls inside the library are direct, also those of exported functions.
include(CheckLinkerFlag)
check_linker_flag(C "-Wl,-Bsymbolic-functions" LEAT_HAS_BSYMBOLIC)
if(LEAT_HAS_BSYMBOLIC)
  target_link_options(leat PRIVATE "-Wl,-Bsymbolic-functions")
endif()
target_link_libraries(leat_test_library PUBLIC leat)
add_library(leat::leat ALIAS leat)
add_library(leat::testing ALIAS leat_test_library)

# For tests of the inside: the same objects with nothing hidden, and private headers as "base/...", "runtime/...".
add_library(leat_inside STATIC ${leat_objects} $<TARGET_OBJECTS:leat_testing>)
set_target_properties(leat_inside PROPERTIES LINKER_LANGUAGE C)
target_include_directories(leat_inside INTERFACE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}")
target_link_libraries(leat_inside INTERFACE ${leat_links})

include(CMakePackageConfigHelpers)
install(TARGETS leat leat_test_library EXPORT leat)
install(DIRECTORY include/leat DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT leat NAMESPACE leat:: FILE leat-targets.cmake DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/leat")
configure_package_config_file(cmake/leat-config.cmake.in "${PROJECT_BINARY_DIR}/leat-config.cmake"
  INSTALL_DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/leat")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/leat-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/leat-config.cmake" "${PROJECT_BINARY_DIR}/leat-config-version.cmake"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/leat")
# libleat.a is linked with the shared libraries that it needs, so a program names them; libleat.so names them itself.
set(LEAT_PC_REQUIRES "Requires.private: ${leat_modules}")
set(LEAT_PC_LIBS "")
if(NOT BUILD_SHARED_LIBS)
  set(LEAT_PC_REQUIRES "Requires: ${leat_modules}")
  set(LEAT_PC_LIBS " -pthread -lm")
endif()
foreach(module leat leat_testing)
  configure_file(cmake/${module}.pc.in "${PROJECT_BINARY_DIR}/${module}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${module}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
