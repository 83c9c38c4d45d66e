// What the tests of the documents read out of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dosql::docs {

// The text of a file of the repository; the running test fails when it cannot be read.
std::string read_document(std::string_view path);

// The text under the heading `title`, up to the next heading of the same or a higher level. Empty: there is
// none.
std::string section(std::string_view document, std::string_view title);

// The cells of all table rows, without heading and ruler rows.
using TableRow = std::vector<std::string>;
std::vector<TableRow> table_rows(std::string_view text);

// A fenced code block.
struct CodeBlock {
  std::string language;
  std::string text;
  std::size_t line = 0;  // of the opening fence, from 1
};
std::vector<CodeBlock> code_blocks(std::string_view document);

// The words between single backticks, outside of code blocks.
std::vector<std::string> code_words(std::string_view document);

// The targets of links, outside of code blocks.
std::vector<std::string> link_targets(std::string_view document);

// `text` without the backticks around it.
std::string plain(std::string_view text);

}  // namespace dosql::docs
