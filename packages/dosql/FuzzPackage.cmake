# For soak: a copy of the package with an addon that has AddressSanitizer, so that every argument of JavaScript is
# tried under it. Not part of `all`.

set(copy "${CMAKE_CURRENT_BINARY_DIR}/copy")
file(GLOB tests CONFIGURE_DEPENDS test/*.ts)
add_custom_command(OUTPUT "${copy}/package.json"
  COMMAND "${CMAKE_COMMAND}" -E rm -rf "${copy}"
  COMMAND "${DOSQL_NODE_PROGRAM}" "${typescript}" -p "${CMAKE_CURRENT_SOURCE_DIR}" --outDir "${copy}/dist"
  COMMAND "${CMAKE_COMMAND}" -E copy_directory "${CMAKE_CURRENT_SOURCE_DIR}/test" "${copy}/test"
  COMMAND "${CMAKE_COMMAND}" -E copy $<TARGET_FILE:dosql_node> "${copy}/dist/dosql.node"
  COMMAND "${CMAKE_COMMAND}" -E copy "${CMAKE_CURRENT_SOURCE_DIR}/package.json" "${copy}"
  DEPENDS dosql_node ${sources} ${tests} tsconfig.json package.json
  COMMENT "Compiling the TypeScript package to fuzz it"
  VERBATIM)
add_custom_target(dosql_fuzz_package DEPENDS "${copy}/package.json")

# Node itself has no sanitizer: it is given the runtime, which reports leaks of Node's own.
execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=libclang_rt.asan-${CMAKE_SYSTEM_PROCESSOR}.so
  OUTPUT_VARIABLE runtime OUTPUT_STRIP_TRAILING_WHITESPACE)
dosql_node_test(node_fuzz_sanitized_test "${copy}/test/fuzz.test.ts" TIMEOUT_S 1500)
set_property(TEST node_fuzz_sanitized_test APPEND PROPERTY LABELS soak)
set_property(TEST node_fuzz_sanitized_test APPEND PROPERTY ENVIRONMENT "LD_PRELOAD=${runtime}"
  "ASAN_OPTIONS=detect_leaks=0")
