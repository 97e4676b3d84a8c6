// An export that somebody tampered with: the import refuses it and leaves the store empty, or it is
// what the store writes when it is exported again.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "storage/sqlite.h"
#include "tests/fakes/line_lists.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::storage {
namespace {

// One empty store for all runs, until an export is imported: its digests fit, which no chance finds
// but in the seeds.
class Store {
 public:
  Store() : backend_(OpenSqlite(directory_ / "ca.sqlite", OpenMode::kCreate).value()) {}
  Maintenance& operator*() const { return *backend_->maintenance(); }

 private:
  const fakes::TemporaryDirectory directory_;
  const std::unique_ptr<Backend> backend_;
};
std::unique_ptr<Store> store;

std::string TotalOf(Maintenance& stored) {
  const auto exported = stored.Export([](std::string_view) { return Status(); });
  if (!exported.ok()) std::abort();
  return exported->total;
}

std::vector<std::string> LinesOf(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace
}  // namespace agentca::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;           // NOLINT(google-build-using-namespace)
  using namespace agentca::storage;  // NOLINT(google-build-using-namespace)
  fakes::LineList in(LinesOf(AsText({data, size})));
  if (!store) store = std::make_unique<Store>();
  static const std::string kEmpty = TotalOf(**store);
  const auto imported = (**store).Import(in);
  if (TotalOf(**store) != (imported.ok() ? imported->total : kEmpty)) std::abort();
  if (imported.ok()) store.reset();
  return 0;
}
