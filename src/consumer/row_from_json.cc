#include "consumer/row_from_json.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <memory>
#include <optional>

namespace dosql::consumer {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Up to U+FFFF.
void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

std::optional<Blob> bytes_of_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  Blob bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = hex_digit(digits[i]);
    const int low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

std::optional<Value> number_of(std::string_view text) {
  const auto read = [&text](auto number) -> std::optional<Value> {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return Value(number);
  };
  const bool is_real = text.find_first_of(".eE") != std::string_view::npos;
  return is_real ? read(double{}) : read(std::int64_t{});
}

// Each part gives none where the text goes on with something else.
class Reader {
 public:
  explicit Reader(std::string_view json) : left_(json) {}

  std::optional<Row> row() {
    auto names = std::make_shared<std::vector<std::string>>();
    std::vector<Value> values;
    if (!take('{')) return std::nullopt;
    for (bool first = true; !take('}'); first = false) {
      if (!first && !take(',')) return std::nullopt;
      auto name = string();
      if (!name || !take(':')) return std::nullopt;
      auto found = value();
      if (!found) return std::nullopt;
      names->push_back(*std::move(name));
      values.push_back(*std::move(found));
    }
    if (!left_.empty()) return std::nullopt;
    return Row(std::move(names), std::move(values));
  }

 private:
  bool take(char c) {
    if (!left_.starts_with(c)) return false;
    left_.remove_prefix(1);
    return true;
  }

  std::optional<Value> value() {
    if (left_.starts_with('"')) {
      auto text = string();
      return text ? std::optional(Value(*std::move(text))) : std::nullopt;
    }
    if (left_.starts_with('{')) return special();
    if (left_.starts_with("null")) {
      left_.remove_prefix(4);
      return Value();
    }
    const std::string_view number = left_.substr(0, left_.find_first_not_of("+-.0123456789eE"));
    left_.remove_prefix(number.size());
    return number_of(number);
  }

  // What JSON has no values for: {"blob":"00ff"}, {"real":"-inf"}, {"text":"ff"}.
  std::optional<Value> special() {
    if (!take('{')) return std::nullopt;
    const auto kind = string();
    if (!kind || !take(':')) return std::nullopt;
    const auto text = string();
    if (!text || !take('}')) return std::nullopt;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (*kind == "real" && *text == "inf") return Value(kInfinity);
    if (*kind == "real" && *text == "-inf") return Value(-kInfinity);
    if (*kind != "blob" && *kind != "text") return std::nullopt;
    auto bytes = bytes_of_hex(*text);
    if (bytes && *kind == "text")
      return Value(std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
    return bytes ? std::optional(Value(*std::move(bytes))) : std::nullopt;
  }

  std::optional<std::string> string() {
    if (!take('"')) return std::nullopt;
    std::string text;
    while (!left_.empty()) {
      const char c = left_.front();
      left_.remove_prefix(1);
      if (c == '"') return text;
      if (c != '\\') {
        text += c;
      } else if (!escape(text)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  bool escape(std::string& text) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (take('u')) return code_point(text);
    const std::size_t found = left_.empty() ? std::string_view::npos : kLetters.find(left_.front());
    if (found == std::string_view::npos) return false;
    text += kMeanings[found];
    left_.remove_prefix(1);
    return true;
  }

  bool code_point(std::string& text) {
    unsigned code = 0;
    if (left_.size() < 4) return false;
    for (const char c : left_.substr(0, 4)) {
      if (hex_digit(c) < 0) return false;
      code = code * 16 + static_cast<unsigned>(hex_digit(c));
    }
    left_.remove_prefix(4);
    if (code >= 0xd800 && code < 0xe000) return false;  // half of a pair, which to_json() never writes
    append_utf8(text, code);
    return true;
  }

  std::string_view left_;
};

}  // namespace

Result<Row> row_from_json(std::string_view json) {
  auto row = Reader(json).row();
  if (row) return *std::move(row);
  constexpr std::size_t kShown = 60;
  return Error(ErrorCode::kInvalidArgument, fmt::format("'{}{}' is no row as JSON", json.substr(0, kShown),
                                                        json.size() > kShown ? "..." : ""));
}

}  // namespace dosql::consumer
