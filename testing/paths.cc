#include "testing/paths.h"

namespace dosql::testing {

std::filesystem::path source_dir() { return DOSQL_SOURCE_DIR; }

std::filesystem::path binary_dir() { return DOSQL_BINARY_DIR; }

}  // namespace dosql::testing
