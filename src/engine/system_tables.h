// The tables that every connection has: dosql_log and dosql_status.
#pragma once

#include <memory>

#include <dosql/result.h>

#include "engine/database_core.h"
#include "engine/main_file.h"
#include "engine/session.h"

namespace dosql::engine {

// On the handle of `session`, whose main file is `file`.
Status register_system_tables(DatabaseCore& core, const std::shared_ptr<Session>& session, MainFile& file);

}  // namespace dosql::engine
