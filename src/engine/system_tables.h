// The tables that every connection has: dosql_log, dosql_status, dosql_branches, dosql_snapshots,
// dosql_conflicts, and the functions dosql_diff_summary and dosql_diff_schema.
#pragma once

#include <memory>
#include <string_view>

#include <dosql/result.h>

#include "engine/database_core.h"
#include "engine/main_file.h"
#include "engine/session.h"

namespace dosql::engine {

// On the handle of `session`, whose main file is `file`.
Status register_system_tables(DatabaseCore& core, const std::shared_ptr<Session>& session, MainFile& file);

// In any case of letters. dosql_diff is one too.
bool is_system_table(std::string_view name);

}  // namespace dosql::engine
