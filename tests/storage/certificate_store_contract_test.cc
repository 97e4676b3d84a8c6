#include "tests/contract/certificate_store_contract.h"

namespace agentca::contract {

INSTANTIATE_TEST_SUITE_P(Backends, CertificateStore, testing::ValuesIn(AllBackends()), NameOf);

}  // namespace agentca::contract
