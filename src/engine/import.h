// Database::import_sqlite.
#pragma once

#include <string>

#include <dosql/database.h>

#include "engine/database_core.h"

namespace dosql::engine {

Result<ImportResult> import_sqlite(DatabaseCore& core, const std::string& file, const Progress& progress);

}  // namespace dosql::engine
