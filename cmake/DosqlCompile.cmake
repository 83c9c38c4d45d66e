# How our code is compiled. Every own target links `dosql_options`; SQLite takes only the part of the
# sanitizers that it shares with us (`dosql_instrumentation`).

set(DOSQL_SANITIZE "" CACHE STRING
  "empty, `address` (with UBSan on our code, and fuzz targets where clang compiles) or `thread`")
set_property(CACHE DOSQL_SANITIZE PROPERTY STRINGS "" address thread)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# build/release/dosql: programs are found without knowing which folder their sources are in.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "RelWithDebInfo, Debug or Sanitize" FORCE)
endif()
foreach(language C CXX)
  # Line tables are enough for profiles and backtraces, and half the size of full debug information.
  set(CMAKE_${language}_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  set(CMAKE_${language}_FLAGS_DEBUG "-O0 -g")
  set(CMAKE_${language}_FLAGS_SANITIZE "-O1 -g1 -fno-omit-frame-pointer")
endforeach()

# Paths below the repository are relative to ccache, so that one checkout gets what another compiled.
find_program(DOSQL_CCACHE ccache)
if(DOSQL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(launcher "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${DOSQL_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

add_library(dosql_instrumentation INTERFACE)
add_library(dosql_options INTERFACE)
target_link_libraries(dosql_options INTERFACE dosql_instrumentation)

# No path of the machine in what we build: messages and debug information say src/log/log.cc. It also lets ccache
# give one build folder what another compiled.
file(RELATIVE_PATH to_source_dir "${CMAKE_BINARY_DIR}" "${PROJECT_SOURCE_DIR}")
target_compile_options(dosql_instrumentation INTERFACE
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=" "-ffile-prefix-map=${to_source_dir}="
  "-ffile-prefix-map=${CMAKE_BINARY_DIR}=.")

set(DOSQL_FUZZ OFF)
if(DOSQL_SANITIZE STREQUAL "address")
  target_compile_options(dosql_instrumentation INTERFACE -fsanitize=address)
  target_link_options(dosql_instrumentation INTERFACE -fsanitize=address)
  # Not on SQLite: it relies on behaviour that UBSan reports, and is not ours to change.
  set(ubsan -fsanitize=undefined -fno-sanitize-recover=undefined)
  target_compile_options(dosql_options INTERFACE ${ubsan})
  target_link_options(dosql_options INTERFACE ${ubsan})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    set(DOSQL_FUZZ ON)
    # Coverage feedback for the fuzz targets; the same objects serve the tests.
    target_compile_options(dosql_options INTERFACE -fsanitize=fuzzer-no-link)
  endif()
elseif(DOSQL_SANITIZE STREQUAL "thread")
  target_compile_options(dosql_instrumentation INTERFACE -fsanitize=thread)
  target_link_options(dosql_instrumentation INTERFACE -fsanitize=thread)
elseif(DOSQL_SANITIZE)
  message(FATAL_ERROR "DOSQL_SANITIZE is `${DOSQL_SANITIZE}`; it may be empty, `address` or `thread`")
endif()

target_include_directories(dosql_options INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
target_compile_options(dosql_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wformat=2 -Werror
  # g++ 12 reports std::string's own operator+ (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
