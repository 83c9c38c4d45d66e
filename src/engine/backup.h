// Database::backup.
#pragma once

#include <string>

#include <dosql/database.h>

#include "engine/database_core.h"

namespace dosql::engine {

Status backup(DatabaseCore& core, const std::string& directory, const Progress& progress);

}  // namespace dosql::engine
