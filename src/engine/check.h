// Database::check.
#pragma once

#include <vector>

#include <dosql/database.h>

#include "engine/database_core.h"

namespace dosql::engine {

Result<std::vector<Problem>> check(DatabaseCore& core, const Progress& progress);

}  // namespace dosql::engine
