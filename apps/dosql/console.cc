#include "apps/dosql/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kGreen = "\x1b[1;32m";
constexpr std::string_view kCyan = "\x1b[36m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

// As wide as "error: ".
constexpr std::string_view kIndent = "       ";

// Of a terminal that is narrower than anybody reads, a line is wrapped.
constexpr std::size_t kLeastLineColumns = 16;

// A token that the message repeats may be megabytes long.
constexpr std::size_t kTokenColumns = 60;

std::string coloured(std::string_view text, std::string_view code, Colour colour) {
  return colour == Colour::kOn ? fmt::format("{}{}{}", code, text, kPlain) : std::string(text);
}

struct SourceLine {
  std::string_view text;
  std::size_t caret = 0;   // byte in text; may be its end
  std::size_t number = 0;  // lines before it in the SQL
};

SourceLine line_at(std::string_view sql, std::size_t offset) {
  offset = std::min(offset, sql.size());
  // A place behind the last line end (an incomplete statement) belongs to the last line with text.
  while (offset > 0 && offset == sql.size() && is_space(sql[offset - 1])) sql.remove_suffix(1), --offset;
  const std::size_t before = sql.substr(0, offset).rfind('\n');
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  std::string_view text = sql.substr(start, sql.find('\n', start) - start);
  if (text.ends_with('\r')) text.remove_suffix(1);
  const auto number = static_cast<std::size_t>(
      std::count(sql.begin(), sql.begin() + static_cast<std::ptrdiff_t>(start), '\n'));
  return {text, std::min(offset - start, text.size()), number};
}

bool is_utf8_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// Cuts a line longer than `columns` to the part around the caret, which may stand behind its end.
SourceLine shorten(SourceLine line, std::size_t columns) {
  const std::size_t behind = line.caret == line.text.size() ? 1 : 0;
  if (display_width(line.text) + behind <= columns) return line;
  // A line may be megabytes long; of what is in front of the caret only the end is looked at.
  const std::size_t bytes_before = columns * 4;
  std::size_t first = line.caret > bytes_before ? line.caret - bytes_before : 0;
  while (first < line.caret && is_utf8_continuation(line.text[first])) ++first;
  while (display_width(line.text.substr(first, line.caret - first)) > columns * 2 / 3) {
    first += decode_utf8(line.text, first).bytes;
  }
  line.text = prefix_of_width(line.text.substr(first), columns);
  line.caret = std::min(line.caret - first, line.text.size());
  return line;
}

// Space that puts the caret under its place: tabs stay tabs, since only the terminal knows their width.
std::string space_like(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (point.value == '\t')
      out += '\t';
    else
      out.append(static_cast<std::size_t>(code_point_width(point.value)), ' ');
    at += point.bytes;
  }
  return out;
}

std::string hint_line(std::string_view text, Colour colour) {
  return fmt::format("{}  {}\n", coloured("hint:", kCyan, colour), text);
}

// SQLite's messages that repeat a token of the text have it in double quotes.
std::string with_short_token(const std::string& message) {
  const bool has_token = message.starts_with("unrecognized token: \"") || message.starts_with("near \"");
  if (!has_token) return message;
  const std::size_t begin = message.find('"') + 1;
  const std::size_t end = message.rfind('"');
  if (end < begin) return message;
  const std::string_view token = std::string_view(message).substr(begin, end - begin);
  const std::string_view shown = prefix_of_width(token, kTokenColumns);
  if (shown.size() == token.size()) return message;
  return fmt::format("{}{}...{}", message.substr(0, begin), shown, message.substr(end));
}

}  // namespace

std::string Origin::prefix(std::size_t line) const {
  switch (kind) {
    case Kind::kFile: return fmt::format("{}:{}: ", file, line);
    case Kind::kStandardInput: return fmt::format("line {}: ", line);
    case Kind::kTerminal:
    case Kind::kArgument: return "";
  }
  return "";
}

std::string describe_error(const Error& error, const Origin& origin, const SqlPlace& place, Colour colour,
                           std::size_t columns) {
  std::string where = origin.prefix(place.line);
  std::string source;
  if (error.sql_offset() && !place.sql.empty()) {
    const SourceLine full = line_at(place.sql, *error.sql_offset());
    where = origin.prefix(place.line + full.number);
    const SourceLine line =
        shorten(full, std::max(columns, kIndent.size() + kLeastLineColumns) - kIndent.size());
    source = fmt::format("{}{}\n{}{}{}\n", kIndent, line.text, kIndent,
                         space_like(line.text.substr(0, line.caret)), coloured("^", kGreen, colour));
  }
  std::string out = fmt::format("{}{} {}\n{}", where, coloured("error:", kRed, colour),
                                with_short_token(error.message()), source);
  if (!error.hint().empty()) out += hint_line(error.hint(), colour);
  return out;
}

Console::Console(int descriptor) : descriptor_(descriptor), is_terminal_(::isatty(descriptor) == 1) {
  colour_ = colours_wanted(descriptor) ? Colour::kOn : Colour::kOff;
}

void Console::error(const Error& error, const Origin& origin, const SqlPlace& place) {
  write(describe_error(error, origin, place, colour_, columns()));
}

void Console::error(const Error& error) { this->error(error, Origin{}, SqlPlace{}); }

void Console::warning(std::string_view text) {
  write(fmt::format("{} {}\n", coloured("warning:", kBold, colour_), text));
}

void Console::hint(std::string_view text) { write(hint_line(text, colour_)); }

std::size_t Console::columns() const {
  winsize size = {};
  if (!is_terminal_ || ::ioctl(descriptor_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kErrorColumns;
  return std::min<std::size_t>(size.ws_col, kErrorColumns);
}

void Console::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written <= 0) return;  // there is no one left to tell
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool colours_wanted(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return ::isatty(descriptor) == 1 && !dumb && (no_color == nullptr || *no_color == '\0');
}

std::string bold(std::string_view text, Colour colour) { return coloured(text, kBold, colour); }
std::string dim(std::string_view text, Colour colour) { return coloured(text, kDim, colour); }

}  // namespace dosql::shell
