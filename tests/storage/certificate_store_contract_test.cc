#include "tests/contract/certificate_store_contract.h"

namespace agentca::contract {

INSTANTIATE_TEST_SUITE_P(Backends, CertificateStore, testing::ValuesIn(AllBackends()), NameOf);
INSTANTIATE_TEST_SUITE_P(Backends, DurableCertificateStore, testing::ValuesIn(DurableBackends()),
                         NameOf);

}  // namespace agentca::contract
