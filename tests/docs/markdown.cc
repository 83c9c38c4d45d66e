#include "tests/docs/markdown.h"
#include "testing/paths.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

namespace dosql::docs {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool is_fence(std::string_view line) { return line.starts_with("```"); }

// 2 for "## Title"; 0: no heading.
std::size_t heading_level(std::string_view line) {
  const std::size_t level = line.find_first_not_of('#');
  return level != std::string_view::npos && level > 0 && line[level] == ' ' ? level : 0;
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(' ') + 1 - begin));
}

// "| a | b \| c |" is {"a", "b | c"}.
TableRow cells_of(std::string_view line) {
  TableRow cells;
  std::string cell;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cell += line[++i];
    } else if (line[i] == '|') {
      cells.push_back(trimmed(cell));
      cell.clear();
    } else {
      cell += line[i];
    }
  }
  return cells;
}

std::string without_code_blocks(std::string_view document) {
  std::string text;
  bool inside = false;
  for (const std::string& line : lines_of(document)) {
    if (is_fence(line)) {
      inside = !inside;
    } else if (!inside) {
      text += line + '\n';
    }
  }
  return text;
}

std::vector<std::string> first_groups(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator hit(text.begin(), text.end(), pattern), end; hit != end; ++hit)
    found.push_back((*hit)[1]);
  return found;
}

}  // namespace

std::string read_document(std::string_view path) {
  std::ifstream file(testing::source_dir() / path, std::ios::binary);
  EXPECT_TRUE(file) << "cannot read " << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string section(std::string_view document, std::string_view title) {
  std::string text;
  std::size_t level = 0;
  bool inside_code = false;
  for (const std::string& line : lines_of(document)) {
    if (is_fence(line)) inside_code = !inside_code;
    const std::size_t heading = inside_code ? 0 : heading_level(line);
    if (level > 0 && heading > 0 && heading <= level) break;
    if (level > 0) text += line + '\n';
    if (level == 0 && heading > 0 && trimmed(std::string_view(line).substr(heading)) == title)
      level = heading;
  }
  return text;
}

std::vector<TableRow> table_rows(std::string_view text) {
  std::vector<TableRow> rows;
  std::size_t rows_in_table = 0;
  for (const std::string& line : lines_of(text)) {
    if (!line.starts_with('|')) {
      rows_in_table = 0;
    } else if (rows_in_table++ >= 2) {
      rows.push_back(cells_of(line));
    }
  }
  return rows;
}

std::vector<CodeBlock> code_blocks(std::string_view document) {
  std::vector<CodeBlock> blocks;
  bool inside = false;
  std::size_t number = 0;
  for (const std::string& line : lines_of(document)) {
    ++number;
    if (is_fence(line)) {
      inside = !inside;
      if (inside) blocks.push_back({line.substr(3), {}, number});
    } else if (inside) {
      blocks.back().text += line + '\n';
    }
  }
  return blocks;
}

std::vector<std::string> code_words(std::string_view document) {
  return first_groups(without_code_blocks(document), std::regex("`([^`\n]+)`"));
}

std::vector<std::string> link_targets(std::string_view document) {
  return first_groups(without_code_blocks(document), std::regex("\\]\\(([^)\\s]+)\\)"));
}

std::string plain(std::string_view text) {
  if (text.size() >= 2 && text.front() == '`' && text.back() == '`') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

}  // namespace dosql::docs
