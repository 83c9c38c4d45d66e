// Which names a branch may have.
#pragma once

#include <string_view>

#include <dosql/result.h>

namespace dosql::sql {

inline constexpr std::size_t kBranchNameBytesMax = 255;

// Letters, digits and . _ - / of ASCII, 1 to kBranchNameBytesMax bytes; no "..", no "//", no / at either end.
// Else kInvalidArgument with a message that says what is wrong.
Status check_branch_name(std::string_view name);

}  // namespace dosql::sql
