#include "tests/contract/acme_store_contract.h"

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
INSTANTIATE_TEST_SUITE_P(Backends, SharedStore, testing::ValuesIn(DurableBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, DurableGrantStore, testing::ValuesIn(DurableBackends()), NameOf);

}  // namespace agentca::contract
