# The version lives in include/leat/base.h; everything else reads it from there.
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../include/leat/base.h" lines REGEX "#define LEAT_VERSION_(MAJOR|MINOR|PATCH) ")
foreach(part MAJOR MINOR PATCH)
  string(REGEX MATCH "LEAT_VERSION_${part} ([0-9]+)" found "${lines}")
  set(LEAT_VERSION_${part} ${CMAKE_MATCH_1})
endforeach()
set(LEAT_VERSION ${LEAT_VERSION_MAJOR}.${LEAT_VERSION_MINOR}.${LEAT_VERSION_PATCH})
