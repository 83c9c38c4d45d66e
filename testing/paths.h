// Where the repository and the programs that were built from it are. One object file knows, so that all
// others compile to the same bytes in every checkout.
#pragma once

#include <filesystem>

namespace dosql::testing {

// The top folder of the repository.
std::filesystem::path source_dir();

// The folder of the programs we built; the shell is its "dosql".
std::filesystem::path binary_dir();

}  // namespace dosql::testing
