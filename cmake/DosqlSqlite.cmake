# SQLite's amalgamation, compiled by us once per build folder together with what the engine needs of its inside
# (src/engine/sqlite_internals.h). The benchmark's peer is the same library.

set(DOSQL_SQLITE_DIR "${PROJECT_SOURCE_DIR}/third_party/node_modules/better-sqlite3/deps/sqlite3" CACHE PATH
  "folder that holds sqlite3.c and sqlite3.h")
if(NOT EXISTS "${DOSQL_SQLITE_DIR}/sqlite3.c")
  message(FATAL_ERROR "no sqlite3.c in ${DOSQL_SQLITE_DIR}: run scripts/bootstrap.sh, or set DOSQL_SQLITE_DIR")
endif()

add_library(sqlite3 STATIC "${PROJECT_SOURCE_DIR}/src/engine/sqlite_internals.c")
target_include_directories(sqlite3 PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_include_directories(sqlite3 SYSTEM PUBLIC "${DOSQL_SQLITE_DIR}")
target_link_libraries(sqlite3 PRIVATE dosql_instrumentation PUBLIC Threads::Threads m)
# Another SQLite in the same process must not see ours.
set_target_properties(sqlite3 PROPERTIES C_VISIBILITY_PRESET hidden)
target_compile_options(sqlite3 PRIVATE -w $<IF:$<CONFIG:RelWithDebInfo>,-O2,-O1>)

# PUBLIC: they decide which declarations sqlite3.h shows (preupdate hooks, sessions, column metadata).
target_compile_definitions(sqlite3 PUBLIC
  SQLITE_ENABLE_COLUMN_METADATA
  SQLITE_ENABLE_PREUPDATE_HOOK
  SQLITE_ENABLE_SESSION)
target_compile_definitions(sqlite3 PRIVATE
  SQLITE_THREADSAFE=2
  SQLITE_DQS=0
  SQLITE_DEFAULT_FOREIGN_KEYS=1
  SQLITE_DEFAULT_MEMSTATUS=0
  SQLITE_ENABLE_FTS5
  SQLITE_ENABLE_FTS3
  SQLITE_ENABLE_FTS3_PARENTHESIS
  SQLITE_ENABLE_RTREE
  SQLITE_ENABLE_GEOPOLY
  SQLITE_ENABLE_MATH_FUNCTIONS
  SQLITE_ENABLE_DBSTAT_VTAB
  SQLITE_ENABLE_STMTVTAB
  SQLITE_ENABLE_BYTECODE_VTAB
  SQLITE_ENABLE_STAT4
  SQLITE_ENABLE_PERCENTILE
  SQLITE_ENABLE_OFFSET_SQL_FUNC
  SQLITE_SOUNDEX
  SQLITE_MAX_ATTACHED=125
  SQLITE_OMIT_LOAD_EXTENSION
  SQLITE_OMIT_SHARED_CACHE
  SQLITE_USE_ALLOCA
  HAVE_FDATASYNC=1
  HAVE_USLEEP=1
  HAVE_PREAD=1
  HAVE_PWRITE=1
  HAVE_LOCALTIME_R=1
  HAVE_GMTIME_R=1)

# UPDATE ... LIMIT is in the grammar only of amalgamations generated with it; others refuse the option.
file(STRINGS "${DOSQL_SQLITE_DIR}/sqlite3.c" udl_parser LIMIT_INPUT 20000 REGEX "SQLITE_UDL_CAPABLE_PARSER")
if(udl_parser)
  target_compile_definitions(sqlite3 PRIVATE SQLITE_ENABLE_UPDATE_DELETE_LIMIT)
endif()
