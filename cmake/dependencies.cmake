# What leat links: Debian 12's own packages are enough (docs/adr, CONTRIBUTING.md).
include(GNUInstallDirs)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# Say what to install rather than "not found".
function(leat_require prefix module minimum)
  pkg_check_modules(${prefix} IMPORTED_TARGET "${module}>=${minimum}")
  if(NOT ${prefix}_FOUND)
    message(FATAL_ERROR "leat needs ${module} ${minimum} or newer: run tools/setup, which installs it or prints the line to type")
  endif()
endfunction()
leat_require(RDKAFKA rdkafka 2.0.2)
leat_require(ROCKSDB rocksdb 7.8)
leat_require(JANSSON jansson 2.13)
if(LEAT_WITH_HTTP)
  leat_require(MICROHTTPD libmicrohttpd 0.9.71)
endif()
