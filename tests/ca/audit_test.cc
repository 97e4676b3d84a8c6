#include "ca/audit.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/fakes/temporary_directory.h"

namespace agentca::ca {
namespace {

constexpr Time kNow{Seconds{1'800'000'000}};

class Audit : public testing::Test {
 protected:
  std::unique_ptr<ChainedLog> Open() {
    auto log = ChainedLog::Open(file_);
    EXPECT_TRUE(log.ok()) << log.error().detail;
    return log.ok() ? std::move(*log) : nullptr;
  }
  void AppendLines(int count) {
    const auto log = Open();
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      ASSERT_TRUE(log->Append("issue", {{"serial", number}}, kNow).ok());
    }
  }
  std::string Read(const std::filesystem::path& file) const {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }
  void Write(std::string_view text) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << text;
  }
  std::string Misfit() const {
    const auto verdict = ChainedLog::Verify(file_);
    if (verdict.ok()) return "fits";
    EXPECT_EQ(verdict.error().code, Code::kConflict);
    return verdict.error().detail;
  }

  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "audit.log";
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string Join(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + '\n';
  return text;
}

TEST_F(Audit, WritesOneJsonObjectALineWithTheHashOfTheLineBefore) {
  {
    const auto log = Open();
    ASSERT_TRUE(log->Append("issue", {{"serial", "0a"}, {"names", "a.test"}}, kNow).ok());
    ASSERT_TRUE(log->Append("revoke", {}, kNow).ok());
  }
  const auto lines = Lines(Read(file_));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], R"({"seq":1,"time":"2027-01-15T08:00:00Z","event":"issue","serial":"0a",)"
                      R"("names":"a.test","prev":")" +
                          std::string(64, '0') + R"("})");
  EXPECT_EQ(lines[1], R"({"seq":2,"time":"2027-01-15T08:00:00Z","event":"revoke","prev":")" +
                          ToHex(Sha256(AsBytes(lines[0]))) + R"("})");
}

TEST_F(Audit, IsReadableByItsOwnerAlone) {
  AppendLines(1);
  struct stat info {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Audit, EscapesWhatAClientSentSoThatItCannotForgeALine) {
  {
    const auto log = Open();
    ASSERT_TRUE(
        log->Append("x", {{"v", "a\"b\\c\n{\"seq\":2}\x01\x7f\t\xc3\xa9\xf0\x9f\x98\x80"}}, kNow)
            .ok());
    ASSERT_TRUE(
        log->Append("x", {{"v", "\xff|\xc0\xaf|\xed\xa0\x80|\xe2\x82|\xf4\x90\x80\x80"}}, kNow)
            .ok());
  }
  const auto lines = Lines(Read(file_));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find(R"("v":"a\"b\\c\u000a{\"seq\":2}\u0001\u007f\u0009)"
                          "\xc3\xa9\xf0\x9f\x98\x80\""),
            std::string::npos)
      << lines[0];
  EXPECT_NE(lines[1].find(R"("v":"\ufffd|\ufffd\ufffd|\ufffd\ufffd\ufffd|\ufffd\ufffd|)"
                          R"(\ufffd\ufffd\ufffd\ufffd")"),
            std::string::npos)
      << lines[1];
  EXPECT_EQ(ChainedLog::Verify(file_)->lines, 2u);
}

TEST_F(Audit, GoesOnWithTheChainAfterReopening) {
  AppendLines(3);
  AppendLines(2);
  const auto verdict = ChainedLog::Verify(file_);
  ASSERT_TRUE(verdict.ok()) << verdict.error().detail;
  EXPECT_EQ(verdict->lines, 5u);
  EXPECT_EQ(verdict->head, ToHex(Sha256(AsBytes(Lines(Read(file_)).back()))));
}

TEST_F(Audit, VerifiesAnEmptyLog) {
  Open();
  const auto verdict = ChainedLog::Verify(file_);
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(verdict->lines, 0u);
  EXPECT_EQ(verdict->head, std::string(64, '0'));
}

TEST_F(Audit, RefusesASecondWriter) {
  const auto log = Open();
  const auto second = ChainedLog::Open(file_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kInternal);
  EXPECT_NE(second.error().detail.find("in use"), std::string::npos);
}

TEST_F(Audit, WaitsForAPredecessorThatIsEnding) {
  auto first = ChainedLog::Open(file_);
  ASSERT_TRUE(first.ok());
  std::atomic<bool> waiting{false};
  std::thread predecessor([&] {
    while (!waiting) std::this_thread::yield();
    first->reset();
  });
  EXPECT_FALSE(ChainedLog::Open(file_, std::chrono::milliseconds(1)).ok());
  waiting = true;
  EXPECT_TRUE(ChainedLog::Open(file_, std::chrono::seconds(30)).ok());
  predecessor.join();
}

TEST_F(Audit, RefusesAFileItCannotUse) {
  EXPECT_FALSE(ChainedLog::Open(directory_.path()).ok());
  EXPECT_FALSE(ChainedLog::Open(directory_ / "no/such/audit.log").ok());
  EXPECT_FALSE(ChainedLog::Verify(directory_ / "absent").ok());
}

TEST_F(Audit, MovesATornLastLineAside) {
  AppendLines(3);
  const std::string whole = Read(file_);
  const std::string torn = R"({"seq":4,"time":"2027-01-)";
  Write(whole + torn);
  EXPECT_EQ(Misfit(), "line 4 is incomplete");
  AppendLines(1);
  EXPECT_EQ(Read(file_).substr(0, whole.size()), whole);
  EXPECT_EQ(Read(directory_ / "audit.log.torn"), torn + "\n");
  EXPECT_EQ(ChainedLog::Verify(file_)->lines, 4u);
}

TEST_F(Audit, RecoversFromEveryLengthOfACrash) {
  AppendLines(3);
  const std::string whole = Read(file_);
  const size_t second_ends = whole.find('\n', whole.find('\n') + 1) + 1;
  for (size_t length = second_ends; length < whole.size(); length += 7) {
    Write(std::string_view(whole).substr(0, length));
    AppendLines(1);
    const auto verdict = ChainedLog::Verify(file_);
    ASSERT_TRUE(verdict.ok()) << length << ": " << verdict.error().detail;
    EXPECT_EQ(verdict->lines, 3u);
  }
}

TEST_F(Audit, RefusesToGoOnAfterATamperedEnd) {
  AppendLines(3);
  auto lines = Lines(Read(file_));
  for (const size_t damaged : {1u, 2u}) {
    auto changed = lines;
    changed[damaged].replace(changed[damaged].find("issue"), 5, "magic");
    if (damaged == 2) changed[damaged].replace(1, 1, "'");
    Write(Join(changed));
    EXPECT_FALSE(ChainedLog::Open(file_).ok());
  }
  Write("\n");
  EXPECT_FALSE(ChainedLog::Open(file_).ok());
  Write(lines[2] + "\n");
  EXPECT_FALSE(ChainedLog::Open(file_).ok()) << "the lines before are missing";
  Write(Join(lines));
  EXPECT_TRUE(ChainedLog::Open(file_).ok());
}

TEST_F(Audit, VerifyNamesTheFirstLineThatDoesNotFit) {
  AppendLines(1000);
  const auto lines = Lines(Read(file_));

  auto changed = lines;
  changed[499].replace(changed[499].find("499"), 3, "498");
  Write(Join(changed));
  EXPECT_EQ(Misfit(), "line 501 does not carry the hash of the line before");

  changed = lines;
  changed.erase(changed.begin() + 499);
  Write(Join(changed));
  EXPECT_EQ(Misfit(), "line 500 has seq 501: lines are missing");

  changed = lines;
  changed[499] = "{}";
  Write(Join(changed));
  EXPECT_EQ(Misfit(), "line 500 is not an audit line");

  changed = lines;
  std::swap(changed[10], changed[11]);
  Write(Join(changed));
  EXPECT_EQ(Misfit(), "line 11 has seq 12: lines are missing");

  std::string hole = Join(lines);
  std::fill_n(hole.begin() + 4096, 4096, '\0');
  Write(hole);
  EXPECT_NE(Misfit(), "fits");
}

TEST_F(Audit, TruncationAtALineEndIsSeenInTheHead) {
  AppendLines(10);
  const auto before = ChainedLog::Verify(file_);
  auto lines = Lines(Read(file_));
  lines.pop_back();
  Write(Join(lines));
  const auto after = ChainedLog::Verify(file_);
  ASSERT_TRUE(after.ok());
  EXPECT_NE(after->head, before->head);
  EXPECT_EQ(after->lines, 9u);
}

TEST_F(Audit, ConcurrentAppendsMakeOneChain) {
  constexpr int kThreads = 16;
  constexpr int kEach = 50;
  {
    const auto log = Open();
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const std::string thread = std::to_string(t);
        for (int i = 0; i < kEach; ++i)
          failures += log->Append("issue", {{"thread", thread}}, kNow).ok() ? 0 : 1;
      });
    }
    // A reader beside the writers sees a valid beginning, never a misfit.
    for (int i = 0; i < 20; ++i) {
      const auto verdict = ChainedLog::Verify(file_);
      EXPECT_TRUE(verdict.ok()) << verdict.error().detail;
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
  }
  EXPECT_EQ(ChainedLog::Verify(file_)->lines, uint64_t{kThreads * kEach});
}

TEST_F(Audit, AppendReturnsOnlyWhenItsOwnLineIsInTheFile) {
  const auto log = Open();
  std::vector<std::thread> threads;
  std::atomic<int> missing = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string mark = "<" + std::to_string(t) + "." + std::to_string(i) + ">";
        if (!log->Append("x", {{"mark", mark}}, kNow).ok() ||
            Read(file_).find(mark) == std::string::npos) {
          ++missing;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(missing, 0);
}

TEST_F(Audit, WhatWasBegunIsWrittenInOrderByWhoeverComesFirst) {
  const auto log = Open();
  auto first = log->Begin("first", {}, kNow);
  {
    const auto dropped = log->Begin("dropped", {}, kNow);
    EXPECT_EQ(Read(file_), "") << "nobody has come for it";
  }
  auto third = log->Begin("third", {}, kNow);
  ASSERT_TRUE(log->Append("fourth", {}, kNow).ok());
  const auto lines = Lines(Read(file_));
  ASSERT_EQ(lines.size(), 4U);
  const std::vector<std::string> events{"first", "dropped", "third", "fourth"};
  for (size_t i = 0; i < events.size(); ++i)
    EXPECT_NE(lines[i].find("\"event\":\"" + events[i] + "\""), std::string::npos) << lines[i];
  EXPECT_TRUE(third.Wait().ok());
  EXPECT_TRUE(first.Wait().ok());
  EXPECT_EQ(Lines(Read(file_)).size(), 4U);
  EXPECT_TRUE(ChainedLog::Verify(file_).ok());
}

TEST_F(Audit, ALineThatIsTooLongIsRefusedWithoutWaiting) {
  const auto log = Open();
  auto refused = log->Begin("x", {{"long", std::string(2 << 20, 'x')}}, kNow);
  EXPECT_EQ(refused.Wait().error().code, Code::kInternal);
  EXPECT_TRUE(log->Append("y", {}, kNow).ok());
}

// A file size limit stands in for a full disk: write(2) fails or is short.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t size) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{size, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST_F(Audit, GoesOnAfterAFullDiskBehindTheLastLineThatIsDurable) {
  const auto log = Open();
  ASSERT_TRUE(log->Append("issue", {}, kNow).ok());
  const std::string before = Read(file_);
  EXPECT_TRUE(log->Check(kNow).ok());
  {
    const FileSizeLimit limit(before.size() + 40);
    const auto status = log->Append("issue", {}, kNow);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, Code::kInternal);
    EXPECT_FALSE(log->Append("issue", {}, kNow).ok());
    EXPECT_FALSE(log->Check(kNow).ok());
    EXPECT_EQ(Read(file_), before) << "half a line is not left behind";
  }
  EXPECT_TRUE(log->Append("issue", {}, kNow).ok());
  EXPECT_TRUE(log->Check(kNow).ok());
  EXPECT_EQ(ChainedLog::Verify(file_)->lines, 2u);
}

TEST_F(Audit, ACheckFindsOutWhetherThereIsRoomAgain) {
  const auto log = Open();
  ASSERT_TRUE(log->Append("issue", {}, kNow).ok());
  {
    const FileSizeLimit limit(Read(file_).size());
    EXPECT_FALSE(log->Append("issue", {}, kNow).ok());
  }
  EXPECT_TRUE(log->Check(kNow).ok());
  EXPECT_NE(Read(file_).find("log-resumed"), std::string::npos);
  EXPECT_TRUE(log->Check(kNow).ok());
  EXPECT_EQ(ChainedLog::Verify(file_)->lines, 2u) << "once";
}

TEST_F(Audit, AFailureReachesEveryoneWhoWaits) {
  const auto log = Open();
  ASSERT_TRUE(log->Append("issue", {}, kNow).ok());
  const FileSizeLimit limit(Read(file_).size() + 300);
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) failures += log->Append("issue", {}, kNow).ok() ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  const auto verdict = ChainedLog::Verify(file_);
  ASSERT_TRUE(verdict.ok()) << verdict.error().detail;
  EXPECT_EQ(verdict->lines + static_cast<uint64_t>(failures), 81u)
      << "each append either is in the log or was told that it is not";
}

TEST_F(Audit, RefusesAnOverlongLineWithoutHarm) {
  const auto log = Open();
  const std::string huge(size_t{2} << 20, 'x');
  EXPECT_FALSE(log->Append("issue", {{"value", huge}}, kNow).ok());
  EXPECT_TRUE(log->Append("issue", {}, kNow).ok());
  EXPECT_EQ(ChainedLog::Verify(file_)->lines, 1u);
}

}  // namespace
}  // namespace agentca::ca
