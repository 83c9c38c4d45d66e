// The program `dosql`, but for main().
#pragma once

#include <string>
#include <vector>

namespace dosql::shell {

// `arguments` without the program's name. Returns the exit status.
int run_app(const std::vector<std::string>& arguments);

}  // namespace dosql::shell
