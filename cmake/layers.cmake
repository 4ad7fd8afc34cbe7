# One object library per folder. A layer sees the public headers, itself, and the layers it USES; nothing else: its include
# path is a folder of links to just these, so that an include against the arrow base <- statestore <- runtime <- dsl does not compile.
set(LEAT_LAYERS "" CACHE INTERNAL "")
function(leat_layer name)
  cmake_parse_arguments(arg "" "SOURCES" "USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_SOURCES}/*.c")
  set(view "${PROJECT_BINARY_DIR}/layers/${name}")
  file(MAKE_DIRECTORY "${view}")
  string(REGEX REPLACE "/.*" "" own "${arg_SOURCES}")
  foreach(folder ${own} ${arg_USES})
    file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${folder}" "${view}/${folder}" SYMBOLIC)
  endforeach()
  if(NOT sources)
    file(WRITE "${view}/empty.c" "typedef int leat__empty_layer;\n")
    set(sources "${view}/empty.c")
  endif()
  add_library(leat_${name} OBJECT ${sources})
  target_include_directories(leat_${name} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${view}")
  target_link_libraries(leat_${name} PRIVATE Threads::Threads)
endfunction()

# A file of the sources becomes part of the layer, with the other files of its folder that it names: leat__file_NAME[]
# (cmake/embed.cmake).
function(leat_embed layer file name)
  set(out "${PROJECT_BINARY_DIR}/embedded/${name}.c")
  get_filename_component(folder "${PROJECT_SOURCE_DIR}/${file}" DIRECTORY)
  file(GLOB parts CONFIGURE_DEPENDS "${folder}/*")
  add_custom_command(OUTPUT "${out}" DEPENDS ${parts} "${PROJECT_SOURCE_DIR}/cmake/embed.cmake"
    COMMAND "${CMAKE_COMMAND}" "-DIN=${PROJECT_SOURCE_DIR}/${file}" "-DOUT=${out}" -DNAME=${name}
      -P "${PROJECT_SOURCE_DIR}/cmake/embed.cmake" VERBATIM)
  target_sources(${layer} PRIVATE "${out}")
endfunction()
