#include "acme/cli/restored.h"

#include "acme/cli/published.h"
#include "acme/cli/recollections.h"

namespace agentca::cli {
namespace {

Error Old(const std::string& why) {
  return {Code::kConflict, "the store is older than " + why +
                               ": it seems to come from a back-up, and to serve would undo "
                               "revocations; run agentca db reconcile"};
}

}  // namespace

Status RefuseOldStore(const Config& config, const Hierarchy& hierarchy, storage::Backend& backend,
                      Time now) {
  storage::Maintenance* store = backend.maintenance();
  if (store == nullptr) return {};
  AGENTCA_ASSIGN(const auto lists, ReadPublished(config));
  for (const Published& list : lists) {
    AGENTCA_ASSIGN(const uint64_t counter, store->CrlNumberOf(list.issuer));
    if (counter < list.summary.number) return Old("the revocation list in " + list.file.string());
  }
  const auto uses = LastKeyUsage(config.directory.KeyUsageLog(), hierarchy);
  if (!uses.ok()) return uses.error().code == Code::kNotFound ? Status() : Status(uses.error());
  // An intent is in the store before the key is used. What has expired may have been pruned.
  std::vector<ca::Serial> serials;
  for (const SignedSerial& use : *uses)
    if (use.not_after && *use.not_after >= now) serials.push_back(use.serial);
  AGENTCA_ASSIGN(const auto unknown, store->UnknownOf(serials));
  if (unknown.empty()) return {};
  return Old("the key-usage log, which has certificate " + unknown.front().ToString());
}

}  // namespace agentca::cli
