#include "tests/contract/certificate_store_contract.h"
#include "tests/contract/cluster_contract.h"

namespace agentca::contract {

INSTANTIATE_TEST_SUITE_P(Backends, CertificateStore, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, OneNode, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, Leases, testing::ValuesIn(DurableBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, DurableCertificateStore, testing::ValuesIn(DurableBackends()),
                         NameOf);

}  // namespace agentca::contract
