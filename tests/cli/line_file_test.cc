#include "acme/cli/line_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

class LineFile : public testing::Test {
 protected:
  void Write(const std::string& text) { std::ofstream(file_) << text; }
  std::vector<std::string> Lines(LineReader& reader) {
    std::vector<std::string> lines;
    for (;;) {
      const auto line = reader.Next();
      EXPECT_TRUE(line.ok());
      if (!line.ok() || !*line) return lines;
      lines.emplace_back(**line);
    }
  }
  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "lines";
};

using Texts = std::vector<std::string>;

TEST_F(LineFile, ReadsLinesAndNoTornOne) {
  Write("one\n\nthree\ntorn");
  const auto reader = LineReader::Open(file_, 100).value();
  EXPECT_EQ(Lines(*reader), (Texts{"one", "", "three"}));
  ASSERT_TRUE(reader->Rewind().ok());
  EXPECT_EQ(Lines(*reader), (Texts{"one", "", "three"}));
}

TEST_F(LineFile, ReadsOnFromAnywhere) {
  Write("one\ntwo\nthree\n");
  const auto reader = LineReader::Open(file_, 100).value();
  EXPECT_EQ(reader->Size().value(), 14U);
  for (const auto& [offset, lines] :
       std::vector<std::pair<uint64_t, Texts>>{{0, {"one", "two", "three"}},
                                                {1, {"two", "three"}},
                                                {4, {"two", "three"}},
                                                {5, {"three"}},
                                                {8, {"three"}},
                                                {14, {}}}) {
    ASSERT_TRUE(reader->SkipTo(offset).ok());
    EXPECT_EQ(Lines(*reader), lines) << offset;
  }
}

TEST_F(LineFile, ReadsLinesLongerThanItsBlocksUpToALimit) {
  const std::string large(700'000, 'x');
  Write("a\n" + large + "\nb\n");
  EXPECT_EQ(Lines(*LineReader::Open(file_, 1 << 20).value()), (Texts{"a", large, "b"}));
  const auto reader = LineReader::Open(file_, 1000).value();
  EXPECT_TRUE(reader->Next().ok());
  EXPECT_EQ(reader->Next().error().code, Code::kMalformed);
  EXPECT_EQ(LineReader::Open(directory_ / "none", 1).error().code, Code::kNotFound);
}

TEST_F(LineFile, IsWrittenAsAWholeForItsOwnerAlone) {
  {
    const auto abandoned = LineWriter::Create(file_).value();
    ASSERT_TRUE(abandoned->Add("never").ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  const auto writer = LineWriter::Create(file_).value();
  ASSERT_TRUE(writer->Add("one").ok());
  EXPECT_FALSE(std::filesystem::exists(file_));
  ASSERT_TRUE(writer->Finish().ok());
  struct stat found {};
  ASSERT_EQ(::stat(file_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  EXPECT_EQ(Lines(*LineReader::Open(file_, 100).value()), (Texts{"one"}));
  EXPECT_EQ(LineWriter::Create(file_).error().code, Code::kConflict);
}

}  // namespace
}  // namespace agentca::cli
