#include "apps/dosql/csv_reader.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace dosql::shell {
namespace {

using testing::ElementsAre;
using Fields = std::vector<std::string>;

class CsvReaderTest : public testing::Test {
 protected:
  ~CsvReaderTest() override { std::remove(path_.c_str()); }

  InputFile open(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    return InputFile::open(path_).value();
  }

  std::vector<Fields> read(const std::string& content, char separator = ',') {
    InputFile file = open(content);
    CsvReader reader(file, separator);
    CsvRecord record;
    std::vector<Fields> all;
    while (reader.next(record).value()) all.emplace_back(record.fields.begin(), record.fields.end());
    return all;
  }

  std::string path_ = testing::TempDir() + "/csv_reader_test." + std::to_string(::getpid());
};

TEST_F(CsvReaderTest, FieldsAndRecords) {
  EXPECT_THAT(read("a,b\n1,2\n"), ElementsAre(Fields{"a", "b"}, Fields{"1", "2"}));
  EXPECT_THAT(read("a,b\r\n1,2"), ElementsAre(Fields{"a", "b"}, Fields{"1", "2"}));
  EXPECT_THAT(read("a,\n,b"), ElementsAre(Fields{"a", ""}, Fields{"", "b"}));
  EXPECT_THAT(read("a;b", ';'), ElementsAre(Fields{"a", "b"}));
  EXPECT_THAT(read(""), ElementsAre());
  EXPECT_THAT(read("\n"), ElementsAre(Fields{""}));
}

TEST_F(CsvReaderTest, QuotedFieldsHoldAnything) {
  EXPECT_THAT(read("\"a,b\",\"c\"\"d\"\n\"two\nlines\",\"\"\n"),
              ElementsAre(Fields{"a,b", "c\"d"}, Fields{"two\nlines", ""}));
  EXPECT_THAT(read("\"ends in \r\"\r\n"), ElementsAre(Fields{"ends in \r"}));
  EXPECT_THAT(read("5\" pipe,x"), ElementsAre(Fields{"5\" pipe", "x"}));
}

// Excel puts a byte order mark in front; it must not become part of the first column's name.
TEST_F(CsvReaderTest, SkipsAByteOrderMark) {
  EXPECT_THAT(read("\xEF\xBB\xBFid\n1"), ElementsAre(Fields{"id"}, Fields{"1"}));
}

TEST_F(CsvReaderTest, TextBehindAClosingQuoteIsNoticed) {
  InputFile file = open("\"a\"b,c\nd\n");
  CsvReader reader(file, ',');
  CsvRecord record;
  ASSERT_TRUE(reader.next(record).value());
  EXPECT_TRUE(record.stray_quote);
  EXPECT_EQ("ab", record.fields[0]);
  ASSERT_TRUE(reader.next(record).value());
  EXPECT_FALSE(record.stray_quote);
}

// Taking the rest of the file as one field would lose all rows behind the quote.
TEST_F(CsvReaderTest, AnUnclosedQuoteIsAnErrorThatNamesItsLine) {
  InputFile file = open("a\nb\n\"c\nd\ne\n");
  CsvReader reader(file, ',');
  CsvRecord record;
  ASSERT_TRUE(reader.next(record).value());
  ASSERT_TRUE(reader.next(record).value());
  const auto result = reader.next(record);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), testing::HasSubstr(":3: a quote is opened here"));
}

TEST_F(CsvReaderTest, LinesCountAlsoInsideQuotes) {
  InputFile file = open("a\n\"b\nb\"\nc\n");
  CsvReader reader(file, ',');
  CsvRecord record;
  std::vector<std::size_t> lines;
  while (reader.next(record).value()) lines.push_back(record.line);
  EXPECT_THAT(lines, ElementsAre(1u, 2u, 4u));
}

// Records longer than the read buffer, and ones that straddle two reads.
TEST_F(CsvReaderTest, RecordsOfAnyLength) {
  const std::string big(700'000, 'x');
  std::string content = "a,b\n";
  for (int i = 0; i < 3; ++i) content += "\"" + big + "\"," + big + "\r\n";
  const auto records = read(content);
  ASSERT_EQ(4u, records.size());
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ((Fields{big, big}), records[i]);
}

TEST_F(CsvReaderTest, AFileCanBeReadAgain) {
  InputFile file = open("a\nb\n");
  EXPECT_EQ("a\nb\n", file.read_all().value());
  ASSERT_TRUE(file.rewind());
  EXPECT_EQ("a\nb\n", file.read_all().value());
  EXPECT_EQ(4u, file.position());
}

// Input from a pipe cannot be read twice by itself.
TEST_F(CsvReaderTest, APipeCanBeReadAgain) {
  int ends[2];
  ASSERT_EQ(0, ::pipe(ends));
  ASSERT_EQ(4, ::write(ends[1], "a,b\n", 4));
  ::close(ends[1]);
  InputFile file = InputFile::open("/dev/fd/" + std::to_string(ends[0])).value();
  ::close(ends[0]);
  EXPECT_EQ("a,b\n", file.read_all().value());
  ASSERT_TRUE(file.rewind());
  EXPECT_EQ("a,b\n", file.read_all().value());
}

TEST_F(CsvReaderTest, MissingFilesAndFoldersAreErrors) {
  EXPECT_EQ(ErrorCode::kNotFound, InputFile::open("/nonexistent/x.csv").error().code());
  EXPECT_EQ(ErrorCode::kIo, InputFile::open("/").error().code());
}

}  // namespace
}  // namespace dosql::shell
