#include "base/json_text.h"

#include <fmt/format.h>

#include <cmath>

namespace dosql {
namespace {

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (static_cast<unsigned char>(c) < 0x20)
    out += fmt::format("\\u{:04x}", static_cast<int>(c));
  else
    out += c;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) append_escaped(out, c);
  out += '"';
  return out;
}

std::string json_real(double real) {
  if (std::isinf(real)) return real > 0 ? R"({"real":"inf"})" : R"({"real":"-inf"})";
  std::string text = fmt::format("{}", real);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string json_blob(Bytes bytes) {
  std::string out = R"({"blob":")";
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::byte byte : bytes) {
    out += kDigits[std::to_integer<unsigned>(byte) >> 4];
    out += kDigits[std::to_integer<unsigned>(byte) & 0xf];
  }
  return out + "\"}";
}

}  // namespace dosql
