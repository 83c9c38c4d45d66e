// Values as JSON text.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace dosql {

// With its quotes. Bytes that are no UTF-8 are kept as they are.
std::string json_string(std::string_view text);
// A TEXT value: with its quotes, or, where it is no UTF-8, {"text":"ff41"}.
std::string json_text(std::string_view text);
// The shortest that reads back as the same number, with a fraction or an exponent: 2.0, 1e+300. JSON has no
// infinities: {"real":"inf"}, {"real":"-inf"}.
std::string json_real(double real);
// JSON has no bytes: {"blob":"00ff"}.
std::string json_blob(Bytes bytes);

}  // namespace dosql
