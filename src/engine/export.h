// Database::export_sqlite.
#pragma once

#include <cstdint>
#include <string>

#include <dosql/database.h>

#include "engine/database_core.h"

namespace dosql::engine {

// Version `version` of main; 0: its newest.
Result<version::ReadPoint> version_to_export(const version::VersionStore& store, std::uint64_t version);

// REQUIRES: a version of `core`'s store.
Result<ExportResult> export_sqlite(DatabaseCore& core, const std::string& file,
                                   const version::ReadPoint& point, const Progress& progress);

}  // namespace dosql::engine
