// An export that somebody tampered with: the import refuses it and leaves the store empty, or it is
// what the store writes when it is exported again.
#include <cstdlib>
#include <string>
#include <vector>

#include "storage/sqlite.h"
#include "tests/fakes/line_lists.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::storage {
namespace {

// One store for all runs: each leaves it empty, or fills it with an export whose digests fit, which
// no chance finds but in the seeds. What is imported then is refused.
Maintenance& Store() {
  static const fakes::TemporaryDirectory kDirectory;
  static const std::unique_ptr<Backend> kBackend =
      OpenSqlite(kDirectory / "ca.sqlite", OpenMode::kCreate).value();
  return *kBackend->maintenance();
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
  const auto lines = LinesOf(AsText({data, size}));
  fakes::LineList in(lines);
  const auto imported = Store().Import(in);
  std::vector<std::string> again;
  const auto exported = Store().Export([&](std::string_view line) -> Status {
    again.emplace_back(line);
    return {};
  });
  if (!exported.ok()) std::abort();
  static std::string total = exported->total;  // of what is there
  if (imported.ok()) total = imported->total;
  if (exported->total != total) std::abort();
  return 0;
}
