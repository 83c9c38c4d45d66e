// What the fixture databases hold, and how a version of one is put into words.
#pragma once

#include <dosql/dosql.h>

#include <string>
#include <vector>

namespace dosql::format_test {

// Statement by statement; each is one version, or none.
std::vector<std::string> fixture_statements();

// One line per version: number, LSN range and a digest of every table, read from an export through stock
// SQLite. Errors: whatever exporting says.
Result<std::vector<std::string>> describe_versions(Database& database);

}  // namespace dosql::format_test
