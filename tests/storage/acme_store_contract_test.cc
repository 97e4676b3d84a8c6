#include "tests/contract/acme_store_contract.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/contract/acme_authorizations_contract.h"
#include "tests/contract/admission_contract.h"
#include "tests/contract/approval_contract.h"
#include "tests/contract/evidence_contract.h"
#include "tests/contract/grant_contract.h"
#include "tests/contract/maintenance_contract.h"
#include "tests/contract/nodes_contract.h"

namespace agentca::contract {

INSTANTIATE_TEST_SUITE_P(Backends, AcmeStore, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, DurableAcmeStore, testing::ValuesIn(DurableBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, EvidenceStore, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, ApprovalStore, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, GrantStore, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, StoreMaintenance, testing::ValuesIn(DurableBackends()), NameOf);

// ---- Seeds of tests/fuzz/import_file.cc ----

// With AGENTCA_WRITE_SEEDS in the environment they are made anew, as a new schema demands.
class ExportSeeds : public StoreMaintenance {
 protected:
  void Write(const char* seed) {
    std::ofstream file(kSeeds / seed, std::ios::binary);
    for (const std::string& line : Exported()) file << line << '\n';
  }
  Status Import(const std::filesystem::path& seed) {
    std::vector<std::string> lines;
    std::ifstream file(seed, std::ios::binary);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    fakes::LineList in(lines);
    const auto imported = EmptyStores().front()->maintenance()->Import(in);
    return imported.ok() ? Status() : Status(imported.error());
  }
  const std::filesystem::path kSeeds{AGENTCA_SEEDS};
};

TEST_P(ExportSeeds, AreOfThisSchema) {
  if (std::getenv("AGENTCA_WRITE_SEEDS") != nullptr) {
    Write("empty");
    Fill();
    Write("full");
  }
  for (const char* seed : {"empty", "full"}) EXPECT_OK(Import(kSeeds / seed)) << seed;
}

INSTANTIATE_TEST_SUITE_P(Sqlite, ExportSeeds, testing::Values(DurableBackends().front()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, SharedStore, testing::ValuesIn(DurableBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, DurableGrantStore, testing::ValuesIn(DurableBackends()), NameOf);

}  // namespace agentca::contract
