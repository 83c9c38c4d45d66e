#include "apps/dosql/text.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cwchar>
#include <vector>

#include <fmt/format.h>

namespace dosql::shell {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The bytes a lead byte announces; 0 for a byte that cannot lead.
std::size_t sequence_bytes(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_plain_identifier(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain) return false;
  }
  return sqlite3_keyword_check(name.data(), static_cast<int>(name.size())) == 0;
}

std::string quote_with(std::string_view text, char quote) {
  std::string out;
  out.reserve(text.size() + 2);
  out += quote;
  for (const char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  out += quote;
  return out;
}

// A positive number as mantissa in [1, 10) and decimal exponent.
struct Decimal {
  long double mantissa = 0;
  int exponent = 0;
};

// The sqlite3 shell converts in extended precision, and its last digits show the rounding of these very
// steps: the same steps give the same digits.
Decimal normalise(long double value) {
  Decimal out{value, 0};
  long double scale = 1.0L;
  for (const auto& [power, digits] : {std::pair{1e100, 100}, std::pair{1e10, 10}, std::pair{10.0, 1}}) {
    while (value >= power * scale) {
      scale *= power;
      out.exponent += digits;
    }
  }
  out.mantissa /= scale;
  for (; out.mantissa < 1e-8; out.exponent -= 8) out.mantissa *= 1e8;
  for (; out.mantissa < 1.0; --out.exponent) out.mantissa *= 10.0;
  return out;
}

char next_digit(long double& mantissa) {
  const int digit = static_cast<int>(mantissa);
  mantissa = (mantissa - digit) * 10.0;
  return static_cast<char>('0' + digit);
}

void drop_trailing_zeros(std::string& digits) {
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits += '0';
}

}  // namespace

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t bytes = sequence_bytes(lead);
  if (bytes == 1) return {lead, 1};
  if (bytes == 0 || at + bytes > text.size()) return {kReplacement, 1};
  char32_t value = lead & (0x7F >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!is_continuation(text[at + i])) return {kReplacement, 1};
    value = (value << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3F);
  }
  const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value < 0xE000;
  if (overlong || surrogate || value > 0x10FFFF) return {kReplacement, 1};
  return {value, bytes};
}

int code_point_width(char32_t code_point) {
  if (code_point < 0x20 || code_point == 0x7F) return 0;
  if (code_point < 0x7F) return 1;
  const int width = ::wcwidth(static_cast<wchar_t>(code_point));
  return width < 0 ? 1 : width;  // a character the C library does not know still takes a place
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    width += static_cast<std::size_t>(code_point_width(point.value));
    at += point.bytes;
  }
  return width;
}

std::string_view prefix_of_width(std::string_view text, std::size_t columns) {
  std::size_t width = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint point = decode_utf8(text, at);
    width += static_cast<std::size_t>(code_point_width(point.value));
    if (width > columns) break;
    at += point.bytes;
  }
  return text.substr(0, at);
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string quote_text(std::string_view text) { return quote_with(text, '\''); }

std::string quote_identifier(std::string_view name) {
  return is_plain_identifier(name) ? std::string(name) : quote_identifier_always(name);
}

std::string quote_identifier_always(std::string_view name) { return quote_with(name, '"'); }

std::string to_hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string format_real(double value) {
  constexpr int kSignificantDigits = 20;
  if (value == 0) return "0.0";
  std::string out = value < 0 ? "-" : "";
  Decimal decimal = normalise(std::fabs(static_cast<long double>(value)));
  // Half a unit of the last digit, computed in double as the sqlite3 shell does.
  double rounding = 5e-10;
  rounding *= 1e-10;
  decimal.mantissa += rounding;
  if (decimal.mantissa >= 10.0) {
    decimal.mantissa *= 0.1;
    ++decimal.exponent;
  }
  const int exponent = decimal.exponent;
  const bool scientific = exponent < -4 || exponent > kSignificantDigits - 1;
  int before_point = scientific ? 1 : exponent + 1;
  int after_point = kSignificantDigits - 1 - (scientific ? 0 : exponent);
  if (before_point <= 0) out += '0';
  for (; before_point > 0; --before_point) out += next_digit(decimal.mantissa);
  out += '.';
  if (!scientific) {
    for (int zeros = -exponent - 1; zeros > 0; --zeros, --after_point) out += '0';
  }
  for (; after_point > 0; --after_point) out += next_digit(decimal.mantissa);
  drop_trailing_zeros(out);
  if (scientific) out += fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  return out;
}

std::string with_thousands(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (std::size_t at = out.size(); at > 3;) {
    at -= 3;
    out.insert(at, ",");
  }
  return out;
}

std::string format_bytes(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kUnits{"kB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (value /= 1000; value >= 999.95 && unit + 1 < kUnits.size(); value /= 1000) ++unit;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_seconds(double seconds) {
  if (seconds < 0.095) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string count_of(std::uint64_t count, std::string_view singular, std::string_view plural) {
  return fmt::format("{} {}", with_thousands(count), count == 1 ? singular : plural);
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_signed(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> parse_switch(std::string_view text) {
  for (std::string_view on : {"on", "yes", "true", "1"}) {
    if (equals_ignoring_case(text, on)) return true;
  }
  for (std::string_view off : {"off", "no", "false", "0"}) {
    if (equals_ignoring_case(text, off)) return false;
  }
  return std::nullopt;
}

}  // namespace dosql::shell
