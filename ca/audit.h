// Tamper-evident audit log of what the CA decided: one JSON object a line, each with the SHA-256 of
// the line before. Truncation at the end is found by comparing with the signer's key-usage log.
#pragma once

#include <chrono>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/base/log.h"
#include "ca/base/result.h"

namespace agentca::ca {

// An append-only file of hash-chained lines, also used by the signer for its key-usage log.
// Thread-safe; appends that wait at the same time share one fdatasync.
//
// A line is {"seq":N,"time":"…","event":"…",<fields, all strings>,"prev":"<hex>"} followed by LF;
// `prev` is the SHA-256 of the previous line without its LF, 64 zeros for the first.
class ChainedLog {
 public:
  // Opens or creates (0600). Checks the last line; a torn last line (crash in mid-write) is kept in
  // FILE.torn and cut off. kInternal when the file cannot be used or another process has it open.
  // Another process that has it open is waited for as long as `patience`: a predecessor may be
  // dying.
  static Result<std::unique_ptr<ChainedLog>> Open(const std::filesystem::path& file,
                                                  std::chrono::milliseconds patience = {});
  ~ChainedLog();
  // Returns when the line is on disk. When the disk was full the line is not in the file and the
  // next may be tried; when it failed in another way that is final for this object.
  Status Append(std::string_view event, std::initializer_list<Field> fields, Time now);
  // Whether a line could be appended now. Cheap, unless the last append failed: then a line that
  // says "log-resumed" is tried.
  Status Check(Time now);

  // A line in the queue, behind those that were begun before it. The log outlives it.
  class Pending {
   public:
    Pending(Pending&&) noexcept;
    Pending& operator=(Pending&&) = delete;
    ~Pending();  // waits
    // Returns when the line is on disk. Call it once.
    Status Wait();

   private:
    friend class ChainedLog;
    struct Rep;
    explicit Pending(std::unique_ptr<Rep> rep);
    std::unique_ptr<Rep> rep_;
  };
  // For a caller with something else to do until the line is on disk; others' appends may carry it
  // there meanwhile.
  Pending Begin(std::string_view event, std::initializer_list<Field> fields, Time now);

  struct Verdict {
    uint64_t lines;
    std::string head;  // hash of the last line
  };
  // Re-reads the whole file. kConflict names the first line that does not fit.
  static Result<Verdict> Verify(const std::filesystem::path& file);

 private:
  class State;
  explicit ChainedLog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentca::ca
