// Lines in memory for whoever reads a file of them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/maintenance.h"

namespace agentca::fakes {

class LineList final : public storage::LineSource {
 public:
  explicit LineList(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  Result<std::optional<std::string_view>> Next() override {
    if (next_ == lines_.size()) return std::optional<std::string_view>();
    return std::optional<std::string_view>(lines_[next_++]);
  }
  Status Rewind() override {
    next_ = 0;
    return {};
  }

 private:
  const std::vector<std::string> lines_;
  size_t next_ = 0;
};

}  // namespace agentca::fakes
