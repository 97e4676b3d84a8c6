#include "tests/contract/acme_store_contract.h"

#include "tests/contract/acme_authorizations_contract.h"

namespace agentca::contract {

INSTANTIATE_TEST_SUITE_P(Backends, AcmeStore, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, DurableAcmeStore, testing::ValuesIn(DurableBackends()), NameOf);

}  // namespace agentca::contract
