# The shapes of our targets. Sources are globbed: a new file in a folder needs no edit here.

# dosql_room(NAME [LINKS lib...])
# The library dosql_NAME from the *.cc files of the current folder, and its unit tests dosql_NAME_test from
# *_test.cc. LINKS are the rooms and packages it may use; its users get them too.
function(dosql_room name)
  cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  file(GLOB tests CONFIGURE_DEPENDS *_test.cc)
  file(GLOB benches CONFIGURE_DEPENDS *_bench.cc)
  if(tests OR benches)
    list(REMOVE_ITEM sources ${tests} ${benches})
  endif()
  if(sources)
    add_library(dosql_${name} STATIC ${sources})
    target_link_libraries(dosql_${name} PUBLIC ${arg_LINKS} PRIVATE dosql_options)
    target_include_directories(dosql_${name} PUBLIC "${PROJECT_SOURCE_DIR}/include")
  else()
    add_library(dosql_${name} INTERFACE)
    target_link_libraries(dosql_${name} INTERFACE ${arg_LINKS})
    target_include_directories(dosql_${name} INTERFACE "${PROJECT_SOURCE_DIR}/include")
  endif()
  if(tests)
    dosql_test(dosql_${name}_test SOURCES ${tests} LIBS dosql_${name})
  endif()
endfunction()

# dosql_test(NAME SOURCES file... [LIBS lib...] [LABELS label...])
# A GoogleTest program, one ctest entry per program: scripts/test.sh counts the cases inside.
function(dosql_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE dosql_options ${arg_LIBS} dosql_testing GTest::gmock GTest::gtest
    GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "gtest;${arg_LABELS}")
endfunction()

function(dosql_add_subdirectory_if_present folder)
  if(EXISTS "${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt")
    add_subdirectory(${folder})
  endif()
endfunction()
