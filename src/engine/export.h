// Database::export_sqlite.
#pragma once

#include <cstdint>
#include <string>

#include <dosql/database.h>

#include "engine/database_core.h"

namespace dosql::engine {

Result<ExportResult> export_sqlite(DatabaseCore& core, const std::string& file, std::uint64_t version,
                                   const Progress& progress);

}  // namespace dosql::engine
