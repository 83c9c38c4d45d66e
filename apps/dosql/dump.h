// The content of the database as SQL, the same text as the sqlite3 shell's .dump.
#pragma once

#include <string>
#include <vector>

#include <dosql/connection.h>

#include "apps/dosql/output.h"
#include "apps/dosql/row_writer.h"

namespace dosql::shell {

struct DumpOptions {
  std::vector<std::string> patterns;  // LIKE with ESCAPE '\'; empty: all
  bool data_only = false;
  bool system_tables = true;
  LineEnds line_ends = LineEnds::kEscape;
};

// One consistent version, whatever others commit meanwhile. Text that a failure cuts short ends with
// "ROLLBACK;", so that nobody loads half of it.
Status write_dump(Connection& connection, const DumpOptions& options, Output& out);

}  // namespace dosql::shell
