# SPDX-License-Identifier: Apache-2.0
# One helper per kind of target, so that no directory repeats flags, include paths or test labels.

# vitro_library(NAME SOURCES... DEPS...): a static library of one room.
function(vitro_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} fmt::fmt PRIVATE vitro_flags)
  target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}")
endfunction()

# vitro_executable(NAME SOURCES... DEPS...)
function(vitro_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} fmt::fmt vitro_flags)
endfunction()

# vitro_test(NAME SOURCES... DEPS... [LABELS...] [TIMEOUT seconds]): a GoogleTest binary, one ctest entry.
# Labels: unit (default), cli (the command as a whole), device (needs a real device), page (needs a browser), matrix (the kill matrix).
function(vitro_test name)
  if(NOT VITRO_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  vitro_executable(${name} SOURCES ${ARG_SOURCES} DEPS ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

# vitro_embed(OUTPUT_VARIABLE NAME DIRECTORY d SUFFIX s HEADER h FUNCTION f FILES...): a source, whose path goes
# into the variable, with the function f of the header h, which returns the files (relative to d) as EmbeddedTexts,
# named without the suffix s.
function(vitro_embed output_variable name)
  cmake_parse_arguments(ARG "" "DIRECTORY;SUFFIX;HEADER;FUNCTION" "FILES" ${ARGN})
  set(script "${PROJECT_SOURCE_DIR}/ci/cmake/EmbedTexts.cmake")
  set(out "${CMAKE_CURRENT_BINARY_DIR}/${name}.cc")
  list(JOIN ARG_FILES "|" files)
  list(TRANSFORM ARG_FILES PREPEND "${ARG_DIRECTORY}/")
  add_custom_command(OUTPUT "${out}"
    COMMAND "${CMAKE_COMMAND}" "-DOUT=${out}" "-DHEADER=${ARG_HEADER}" "-DFUNCTION=${ARG_FUNCTION}"
            "-DDIRECTORY=${ARG_DIRECTORY}" "-DSUFFIX=${ARG_SUFFIX}" "-DFILES=${files}" -P "${script}"
    DEPENDS ${ARG_FILES} "${script}" COMMENT "Embedding ${name}" VERBATIM)
  set(${output_variable} "${out}" PARENT_SCOPE)
endfunction()
