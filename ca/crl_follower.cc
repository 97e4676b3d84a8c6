#include "ca/crl_follower.h"

#include <sys/stat.h>

#include "ca/base/file.h"
#include "ca/base/log.h"

namespace agentca::ca {
namespace {

constexpr size_t kMaxCrlSize = size_t{1} << 30;

class CrlFile final : public CrlPlace {
 public:
  explicit CrlFile(std::filesystem::path file) : file_(std::move(file)) {}
  // Each publication is a file of its own, renamed into place.
  Result<std::string> Mark() override {
    struct stat info {};
    if (::stat(file_.c_str(), &info) != 0) {
      if (errno == ENOENT) return Error{Code::kNotFound, "no CRL at " + file_.native()};
      return FileError("cannot read", file_);
    }
    return std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " +
           std::to_string(info.st_mtim.tv_sec) + " " + std::to_string(info.st_mtim.tv_nsec);
  }
  Result<Bytes> Read() override { return ReadFile(file_, kMaxCrlSize); }

 private:
  const std::filesystem::path file_;
};

class CrlDocument final : public CrlPlace {
 public:
  CrlDocument(SharedDocuments& documents, const IssuerId& issuer)
      : documents_(documents), name_(CrlNameOf(issuer)) {}
  Result<std::string> Mark() override {
    AGENTCA_ASSIGN(const int64_t version, documents_.VersionOf(name_));
    if (version == 0) return Error{Code::kNotFound, "no CRL is in the store yet"};
    return std::to_string(version);
  }
  Result<Bytes> Read() override {
    AGENTCA_ASSIGN(SharedDocument document, documents_.Get(name_));
    return std::move(document.content);
  }

 private:
  SharedDocuments& documents_;
  const std::string name_;
};

}  // namespace

std::unique_ptr<CrlPlace> MakeCrlDocument(SharedDocuments& documents, const IssuerId& issuer) {
  return std::make_unique<CrlDocument>(documents, issuer);
}

std::unique_ptr<CrlPlace> MakeCrlFile(std::filesystem::path file) {
  return std::make_unique<CrlFile>(std::move(file));
}

CrlFollower::CrlFollower(IssuerId issuer, PublicKey key, std::unique_ptr<CrlPlace> place,
                         std::chrono::milliseconds period)
    : issuer_(std::move(issuer)), key_(std::move(key)), place_(std::move(place)), period_(period) {}

CrlFollower::~CrlFollower() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void CrlFollower::Start() {
  thread_ = std::thread([this] { Run(); });
}

std::shared_ptr<const PublishedCrl> CrlFollower::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

// The mark is read first: a list that comes between the two is looked at again.
Status CrlFollower::LookNow() {
  AGENTCA_ASSIGN(std::string mark, place_->Mark());
  if (mark == seen_) return {};
  AGENTCA_ASSIGN(Bytes der, place_->Read());
  seen_ = std::move(mark);
  AGENTCA_ASSIGN(const CrlSummary summary, ParseCrl(der, key_));
  const auto last = current();
  if (last && summary.number < last->summary.number)
    return Error{Code::kConflict, "list " + std::to_string(summary.number) + " is older than " +
                                      std::to_string(last->summary.number)};
  auto taken = std::make_shared<const PublishedCrl>(PublishedCrl{std::move(der), summary});
  std::lock_guard lock(mutex_);
  current_ = std::move(taken);
  return {};
}

void CrlFollower::Run() {
  std::string last_fault;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Status status = LookNow();
    const std::string fault = status.ok() ? "" : status.error().detail;
    if (!fault.empty() && fault != last_fault) {
      Log(Level::kError, "cannot take up a published CRL", {{"issuer", issuer_}, {"error", fault}});
    }
    last_fault = fault;
    lock.lock();
    wake_.wait_for(lock, period_, [this] { return stopping_; });
  }
}

}  // namespace agentca::ca
